"""Logs: one JSON object a line, without personal data.

An exception's text may quote a row, a name or a form field, so only its kind and where it happened are written down; a
demo site, which has no real people, adds the text. With `[logs] file` in site.toml the lines go to a file that is
turned over each midnight and kept for `days` (30); otherwise to standard error, where systemd's journal keeps them.
"""

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

from ansim.sites.config import Site

KEEP_DAYS = 30


class Lines(logging.Formatter):
    """{"at", "level", "from", "text"} and, of an exception, {"error", "places"}."""

    def __init__(self, *, demo: bool = False):
        super().__init__()
        self._demo = demo

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "text": self._text(record),
        }
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            line["error"] = type(error).__name__ + (f": {error}" if self._demo else "")
            frames = traceback.extract_tb(error.__traceback__)
            line["places"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames][-8:]
        return json.dumps(line, ensure_ascii=False)

    def _text(self, record: logging.LogRecord) -> str:
        """Our own messages are safe by themselves; of another library's, exceptions among the arguments are not."""
        if self._demo or record.name.partition(".")[0] == "ansim" or not record.args:
            return record.getMessage()
        given = record.args if isinstance(record.args, tuple) else (record.args,)
        told = tuple(type(each).__name__ if isinstance(each, BaseException) else each for each in given)
        try:
            return str(record.msg) % told
        except (TypeError, ValueError):
            return str(record.msg)


def configuration(here: Site) -> dict[str, Any]:
    """For logging.config.dictConfig."""
    handler: dict[str, Any] = {"class": "logging.StreamHandler", "formatter": "line"}
    if file := here.logs.get("file"):
        here.path(file).parent.mkdir(parents=True, exist_ok=True)
        handler = {
            "class": "logging.handlers.TimedRotatingFileHandler",
            "filename": str(here.path(file)),
            "when": "midnight",
            "backupCount": here.logs.get("days", KEEP_DAYS),
            "encoding": "utf-8",
            "delay": True,
            "formatter": "line",
        }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "ansim.sites.operate.logs.Lines", "demo": here.demo}},
        "handlers": {"console": handler},
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {"ansim": {"level": "INFO"}, "django.request": {"level": "ERROR"}},
    }
