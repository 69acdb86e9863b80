"""A holder's match keys: its people blinded by the key process, evaluated at the key agency, and unblinded here.

Identities go into the key process and nowhere else; blinded elements go to the agency; what comes back waits in
FOLDER/link/<agreement> until the extract leaves. Elements under the agency's key say nothing without the blinding
scalars, which are derived in the key process and never stored.
"""

import base64
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from django.db import transaction

from ansim.data.cdm.files import file_digest
from ansim.data.cdm.schema import literal
from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.privacy.linkage.oprf import ELEMENT
from ansim.sites.config import site
from ansim.sites.exchange import post
from ansim.sites.files import erase, write
from ansim.sites.holder import linkage, source
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record

KIND = "link-keys"
ITEMS = ("name", "birth_date", "sex", "phone")  # what match keys are made of; the resident number is never read
BATCH = 20_000  # people of one message


def folder(key: str) -> Path:
    return site().path("link", key)


def match_rows(key: str, people: list[tuple[int, str]]) -> list[dict]:
    """[{serial, keys}] of (person id, serial) pairs. Asks the key agency first and raises Later until it answered."""
    if not linkage.has_salt(key):
        raise jobs.Later(2.0, "the linkage salt has not arrived yet", counts=False)
    rows = _identities(people)
    check = digest({"register": file_digest(source.identities()), "serials": [row["serial"] for row in rows]})
    found = Record.objects.filter(kind=KIND, key=key).first()
    if found is None or found.data["check"] != check:
        _ask(key, rows, check, found.data["round"] + 1 if found else 1)
        raise jobs.Later(0.5, "the key agency was asked", counts=False)
    if len(found.data["received"]) < len(found.data["sizes"]):
        raise jobs.Later(0.5, "the key agency has not answered yet", counts=False)
    keys: list[dict] = []
    for number, batch in enumerate(_batches(rows)):
        evaluated = base64.b64encode((folder(key) / _name(found.data["round"], number)).read_bytes()).decode()
        keys += post.keeper().call("unblind_keys", project=key, rows=batch, evaluated=evaluated)
    return keys


def forget(key: str) -> None:
    """Delete what the agency answered, once the keys have left."""
    erase(folder(key))


def _identities(people: list[tuple[int, str]]) -> list[dict]:
    ids, serials = zip(*people, strict=True)
    wanted = pa.table({"person_id": pa.array(ids, pa.int64()), "serial": pa.array(serials, pa.string())})
    with duckdb.connect() as con:
        con.execute(f"ATTACH {literal(str(source.identities()))} AS register (READ_ONLY)")
        con.register("wanted", wanted)
        return (
            con.sql(
                f"""SELECT serial, {", ".join(f"CAST({item} AS VARCHAR) AS {item}" for item in ITEMS)}
                FROM register.identity JOIN wanted USING (person_id) ORDER BY serial"""
            )
            .to_arrow_table()
            .to_pylist()
        )


def _batches(rows: list[dict]) -> list[list[dict]]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]


def _ask(key: str, rows: list[dict], check: str, number: int) -> None:
    """Every batch leaves in one transaction, with the note of what was asked."""
    agency = linkage.terms_of(key)["key_agency"]
    asked = [post.keeper().call("blind_keys", project=key, rows=batch) for batch in _batches(rows)]
    sizes = [len(base64.b64decode(elements)) for elements in asked]
    with transaction.atomic():
        for batch, elements in enumerate(asked):
            payload = {
                "agreement": key, "holder": site().id, "round": number, "batch": batch, "batches": len(asked),
                "people": len(rows), "elements": elements,
            }  # fmt: skip
            post.send("link.blind", payload, to=agency, sealed=True)
        data = {"agency": agency, "round": number, "check": check, "sizes": sizes, "received": []}
        ledger.record(KIND, key, data, status="asked")
        ledger.note(f"linkage:{key}", "keys.asked", to=agency, people=len(rows), round=number)


@post.receives("link.evaluated")
def _on_answer(message: post.Message) -> None:
    given: Any = message.payload
    key, number, batch = str(given["agreement"]), given["round"], given["batch"]
    found = Record.objects.select_for_update().filter(kind=KIND, key=key).first()
    if found is None or message.sender != found.data["agency"] or number != found.data["round"]:
        raise Problem("not-asked", N_("{sender} was not asked for these keys."), sender=message.sender)
    elements = base64.b64decode(given["elements"], validate=True)
    sizes, received = found.data["sizes"], found.data["received"]
    if batch in received:
        return
    if batch not in range(len(sizes)) or len(elements) != sizes[batch] or len(elements) % ELEMENT:
        raise Problem("not-asked", N_("{sender} was not asked for these keys."), sender=message.sender)
    write(folder(key) / _name(number, batch), elements)
    ledger.record(KIND, key, {**found.data, "received": sorted([*received, batch])}, status="answered")


def _name(number: int, batch: int) -> str:
    return f"{number}.{batch}"
