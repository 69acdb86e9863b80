"""`ansim agreement` as people type it."""

import json
from datetime import UTC, datetime

from typer.testing import CliRunner

from ansim.cli.main import app
from ansim.errors import Problem


def test_terms_that_are_in_order_become_a_policy_and_others_are_refused(tmp_path, request):
    terms = _terms()
    file, made = tmp_path / "terms.json", tmp_path / "policy.jsonld"
    file.write_text(json.dumps(terms))
    done = CliRunner().invoke(app, ["agreement", "odrl", str(file), "--output", str(made)])
    assert done.exit_code == 0, done.output
    assert json.loads(made.read_text())["dct:identifier"] == "agr-1 v1"
    file.write_text(json.dumps({**terms, "areas": ["magic"]}))
    assert isinstance(CliRunner().invoke(app, ["agreement", "odrl", str(file)]).exception, Problem)


def _terms():
    key = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}
    day = datetime.now(UTC).date().isoformat()
    return {
        "ansim": "agreement/1",
        "id": "agr-1",
        "version": 1,
        "supersedes": None,
        "title": {"ko": "가", "en": "A"},
        "user": {"id": "company-x", "name": "Company X"},
        "holders": [{"id": "hospital-a", "name": "Hospital A"}],
        "members": [{"id": "kim", "name": "Kim", "role": "PI", "key": key}],
        "purpose": "statistics",
        "areas": ["copd"],
        "query": {"ansim": "query/1"},
        "modes": ["centre"],
        "place": {"centre": "centre", "remote": False},
        "linkage": None,
        "max_persons": None,
        "not_before": day,
        "not_after": day,
        "output": {"threshold": 10, "rounding": 5, "checkers": 2},
        "reidentification": "forbidden",
        "destruction": {"within_days": 30},
        "publication": "",
        "fees": "",
    }
