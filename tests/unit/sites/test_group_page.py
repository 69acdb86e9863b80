"""The page that puts a patient group together: rows, mistakes, words, figure, and what it gives on.

In a process of its own, with the gallery's settings: Django's settings are one a process.
"""

import os
import subprocess
import sys
from pathlib import Path

STORY = """
import json, sys
sys.path.insert(0, ".")
import django
from django.conf import settings
settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django.contrib.contenttypes", "django.contrib.auth",
                           "django.contrib.sessions", "ansim.sites.store"]
django.setup()
from django.test import RequestFactory
from django.utils import translation
from ansim.research.cohort.query import parse
from ansim.sites.web.group_page import builder, draft

view = builder("researcher", target="/feasibility/new/", back="/x/").__wrapped__  # who may see it is the decorator's
maker = RequestFactory(headers={"accept-language": "en", "host": "127.0.0.1"})
translation.activate("en")
FIELDS = {
    "events-TOTAL_FORMS": "1", "events-INITIAL_FORMS": "0", "rules-TOTAL_FORMS": "1", "rules-INITIAL_FORMS": "0",
    "title": "New users", "before": "365", "after": "0", "entry_limit": "first", "combine": "all", "age_from": "18",
    "age_to": "80", "sex": "F", "end": "start", "end_days": "90", "period_from": "2015-01-01",
    "events-0-event": "drug_exposure", "events-0-concepts": "1118084, -1177480", "events-0-descendants": "on",
    "rules-0-need": "not", "rules-0-event": "condition_occurrence", "rules-0-concepts": "192671",
    "rules-0-from_days": "-365", "rules-0-to_days": "-1",
}

def sent(do, accept="text/html", **changes):
    request = maker.post("/g/", FIELDS | {"do": do} | changes, headers={"accept": accept})
    request.session = {}
    answer = view(request)
    return answer.status_code, answer.content.decode(), request

status, page, _ = sent("look")
assert status == 200
assert "drug exposure of 1118084, -1177480" in page and "의약품" in page
assert "<figure" in page and "Use this group" in page
status, page, _ = sent("more-rules", title="", **{"rules-0-name": "kept as typed"})
assert status == 200 and "rules-1-event" in page and "kept as typed" in page
assert 'role="alert"' not in page  # nothing is judged yet
for changes, field in (
    ({"title": ""}, "id_title"), ({"events-0-concepts": "12, x"}, "events-0-concepts"),
    ({"events-0-event": ""}, "events-0-event"), ({"rules-0-to_days": "-400"}, "rules-0-from_days"),
    ({"end_days": ""}, "end_days"), ({"rules-INITIAL_FORMS": "x"}, ""), ({"before": "soon"}, "id_before"),
    ({"events-0-event": "anything"}, "events-0-event"), ({"end": "drug"}, "end_concepts"),
):
    status, page, _ = sent("look", **changes)
    assert status == 422 and field in page and "Use this group" not in page, changes
    assert 'role="alert"' in page or "INITIAL" in str(changes), changes
for wide in ("99999", "9" * 5000, "-1"):
    assert sent("look", **{"rules-TOTAL_FORMS": wide})[0] == 200
told = json.loads(sent("look", "application/json")[1])["query"]
assert parse(told).document() == told and told["ansim"] == "query/2"
assert told["period"] == {"from": "2015-01-01", "to": "2099-12-31"}
cohort = told["cohort"]
assert cohort["entry"]["observed"] == {"before": 365} and cohort["entry"]["limit"] == "first"
assert cohort["sets"][0]["concepts"] == [
    {"id": 1118084, "descendants": True}, {"id": 1177480, "excluded": True, "descendants": True}]
(person,) = cohort["rules"][0]["where"]["all"]
assert person["person"]["age"] == {"between": [18, 80]}
(rule,) = cohort["rules"][1]["where"]["all"]
assert (rule["exactly"], rule["window"]) == (0, {"from": -365, "to": -1})
assert cohort["end"] == {"after": "start", "days": 90}
one = json.loads(sent("look", "application/json", combine="any", end="drug", end_concepts="1118084", end_days="30")[1])
assert "any" in one["query"]["cohort"]["rules"][1]["where"]
assert one["query"]["cohort"]["end"]["gap"] == 30
status, _, request = sent("use")
assert status == 302 and "drug_exposure" in request.session["patient-group"]
later = maker.get("/feasibility/new/?group=1")
later.session = request.session
assert draft(later)["query"] == request.session["patient-group"]
later.GET = {}
assert draft(later) is None
"""


def test_a_group_from_fields(tmp_path):
    place = Path(__file__).parents[2] / "browser"
    environment = {"DJANGO_SETTINGS_MODULE": "gallery.settings", "ANSIM_GALLERY_CHARTS": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", STORY], cwd=place, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
