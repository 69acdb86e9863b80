"""A log line says what happened and where, and nothing about anybody."""

import json
import logging
import logging.config

import pytest

from ansim.sites.config import Site
from ansim.sites.operate import logs

SECRET = "900101-1234567 김민준"


def line(demo: bool, name: str = "django.request", text: str = "failed: %s", *args) -> dict:
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, text, args, None)
    try:
        raise ValueError(f"invalid row {SECRET}")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    if not args:
        record.args = (record.exc_info[1],)
    return json.loads(logs.Lines(demo=demo).format(record))


def test_an_exceptions_text_is_not_written_down():
    found = line(demo=False)
    assert found["error"] == "ValueError"
    assert found["places"][-1].startswith("test_logs.py:")
    assert SECRET not in json.dumps(found, ensure_ascii=False)


def test_without_that_care_it_would_be():
    assert SECRET in line(demo=True)["error"]  # a demo site has no real people


@pytest.mark.parametrize("name", ["ansim.jobs", "uvicorn.error", "django.request"])
def test_each_line_is_one_json_object(name):
    found = line(False, name, "several\nlines %s", "and so on")
    assert found["from"] == name
    assert found["text"] == "several\nlines and so on"


def test_a_file_is_turned_over_and_old_ones_go(tmp_path):
    here = Site(tmp_path, "one", "hub", {}, logs={"file": "logs/site.log", "days": 3})
    made = logs.configuration(here)
    handler = made["handlers"]["console"]
    assert (handler["when"], handler["backupCount"]) == ("midnight", 3)
    own = {**made, "root": {"handlers": []}, "loggers": {"ansim.test-logs": {"handlers": ["console"], "level": "INFO"}}}
    logging.config.dictConfig(own)
    log = logging.getLogger("ansim.test-logs")
    try:
        for day in range(1, 7):
            log.warning("said on day %s", day)
            log.handlers[0].rolloverAt = day * 86_400
            log.handlers[0].doRollover()
        kept = sorted((tmp_path / "logs").iterdir())
        assert [json.loads(each.read_text())["text"] for each in kept] == [f"said on day {day}" for day in (4, 5, 6)]
    finally:
        log.handlers[0].close()
        log.handlers.clear()
