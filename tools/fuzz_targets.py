"""What outside input is fed to: each target takes bytes and may only end well or with a Problem."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ansim.errors import Problem
from ansim.research.cohort.definition import circe
from ansim.research.cohort.query import parse
from ansim.sites.exchange import envelope, notices, signed

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
GIVEN = json.loads((ROOT / "tests" / "fixtures" / "first_release" / "exchange.json").read_text("utf-8"))
DIRECTORY = notices.Directory(GIVEN["directory"]["document"])
AT = datetime.fromisoformat(GIVEN["at"])


def _json(data: bytes) -> object:
    return signed.loads(data)


def of_envelope(data: bytes) -> None:
    """An envelope as the hub and a node take it in."""
    envelope.read(_json(data), directory=DIRECTORY, me="hospital-a", now=AT, skew=timedelta(minutes=5))


def of_ticket(data: bytes) -> None:
    """The bearer's token of a poll."""
    text = data.decode("utf-8", "replace")
    claims = envelope.peek({"jws": text})
    key = DIRECTORY.key(str(claims.get("iss")), str(signed.header(text).get("kid")), AT)
    signed.open_compact(text, key)


def of_notice(data: bytes) -> None:
    """A notice that anybody may post to the hub."""
    notice = _json(data)
    trust = notices.Trust(tuple(GIVEN["roots"]), GIVEN["threshold"], {}, True)
    notices.name_of(notice.get("document") if isinstance(notice, dict) else None)
    notices.accept(notice, 0, trust, DIRECTORY, datetime.now(UTC))


def of_query(data: bytes) -> None:
    """A query that a researcher pastes."""
    parse(data)


def of_circe(data: bytes) -> None:
    """A cohort definition as ATLAS writes it."""
    circe.read(data)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "envelope": of_envelope,
    "ticket": of_ticket,
    "notice": of_notice,
    "query": of_query,
    "circe": of_circe,
}


def one(name: str, data: bytes) -> None:
    """Run a target; a refusal, or bytes that are no JSON at all, is a good end."""
    try:
        TARGETS[name](data)
    except Problem:
        return
    except ValueError as error:
        if type(error) in {ValueError, json.JSONDecodeError, UnicodeDecodeError} and _is_no_json(data):
            return
        raise


def _is_no_json(data: bytes) -> bool:
    try:
        signed.loads(data)
    except (ValueError, RecursionError):
        return True
    return False
