"""One site of its own process, without keys, network or sandbox: test_output_site.py runs it with KIND FOLDER.

What other sites and the agreement would say is put in their place; acts, pages and records are the site's own.
"""

import json
import sys
from pathlib import Path

import pytest

from ansim.documents import digest
from ansim.errors import Problem

KEY, SENT = "agr-1", []
TERMS = {
    "id": KEY, "version": 1, "title": {"ko": "연구", "en": "Study"}, "areas": ["respiratory"],
    "user": {"id": "company-x", "name": "X"}, "not_after": "2099-01-01",
    "members": [{"id": "researcher@company-x"}, {"id": "researcher2@company-x"}],
    "output": {"threshold": 10, "rounding": 5}, "modes": ["centre"], "place": {"centre": "centre-1"},
}  # fmt: skip


def refused(code, call, *arguments, **named):
    with pytest.raises(Problem) as found:
        call(*arguments, **named)
    assert found.value.code == code, f"{found.value.code}: {found.value}"


def begin(kind: str, folder: Path) -> None:
    from ansim.sites.init import make

    make(folder, id=f"{kind}-1", kind=kind, name={"ko": kind, "en": kind}, passphrase=b"a long passphrase", trust={},
         demo=True, hub="hub", hub_url="http://127.0.0.1:1",
         options={"export_board": 2, "checker_downloads": 2})  # fmt: skip
    accounts = ["researcher", "checker", "senior", "exporter", "room"]
    folder.joinpath("accounts.json").write_text(
        json.dumps(
            [{"username": name, "name": name, "password": "a long password", "roles": [name]} for name in accounts]
        )
    )
    from ansim.sites.serve import prepare

    prepare(folder)
    from ansim.sites.exchange import post

    post.send = lambda typ, payload, **named: SENT.append((typ, payload, named))


def work() -> None:
    from ansim.sites.store import jobs

    while task := jobs.take([kind for kind in jobs._kinds if kind not in ("send", "receive", "release")]):
        jobs.run(task)


def hear(typ: str, sender: str, payload: dict) -> None:
    from django.db import transaction

    from ansim.sites import clock
    from ansim.sites.exchange import post

    with transaction.atomic():
        post._handlers[typ](post.Message(typ, sender, payload, "jti", clock.now()))


def pages(*addresses: str, names=("checker", "senior", "exporter")) -> dict[tuple[str, str], str]:
    """{(who, address): the page in English}; each also in Korean and as data."""
    from django.contrib.auth.models import User
    from django.test import Client

    found = {}
    for name in names:
        for language in ("ko", "en"):
            browser = Client(SERVER_NAME="127.0.0.1", headers={"Accept-Language": language})
            browser.force_login(User.objects.get(username=name))
            for address in addresses:
                answer = browser.get(address)
                assert answer.status_code == 200, (name, address, answer.status_code, answer.content[-800:])
                assert browser.get(address, headers={"accept": "application/json"}).status_code == 200
                found[name, address] = answer.content.decode()
    return found


# --- the centre ---


def released(outputs, output, ledger, body: bytes, linked: bool = False) -> str:
    """A request that both checkers agree to; an unlinked one is released at once."""
    from ansim.governance.output import Release
    from ansim.sites.exchange import bulk

    outputs.joining.LINKED = "linked" if linked else "nothing"
    name = outputs.submit(KEY, "researcher@company-x", {"t.csv": body}, "논문", {"run": "", "parts": {}, "tables": {}})
    work()
    assert outputs.get(name)["status"] == "checking", outputs.notes(name)
    outputs.review(name, "checker1", release=True, reason="a")
    outputs.review(name, "checker2", release=True, reason="a")
    if not linked:
        files = [{"name": "t.csv", "sha256": bulk.digest(outputs.place(KEY, name) / "t.csv")}]
        ledger.execute(output, name, Release(by="centre-1", files=files), actor="centre-1")
    return name


def centre() -> None:
    from ansim.governance.output import output
    from ansim.sites.centre import agreements, outputs, releases, workspaces
    from ansim.sites.store import ledger

    for name in ("terms", "require_in_force"):
        setattr(agreements, name, lambda key: TERMS)
    agreements.admit = lambda key, member, what: TERMS
    workspaces.opened(KEY, TERMS, "0" * 64)
    space = workspaces.get(KEY)
    part = {"admitted": True, "people": 100, "tables": [], "holders": []}
    workspaces.put(space | {"status": "open", "parts": {"linked": part}})

    first = released(outputs, output, ledger, b"band,sex,n\n30,F,50\n30,M,40\n")
    # a table that differs by few from what left before: shown beside
    second = outputs.submit(KEY, "researcher@company-x", {"t.csv": b"band,sex,n\n30,F,50\n30,M,45\n"}, "다시",
                            {"run": "", "parts": {}, "tables": {}})  # fmt: skip
    work()
    seen = pages(f"/outputs/{second}/", f"/outputs/{first}/", "/outputs/")
    assert "Differ by few" in seen["checker", f"/outputs/{second}/"]
    assert "Take it back" in seen["senior", f"/outputs/{first}/"]
    assert "Take it back" not in seen["checker", f"/outputs/{first}/"]

    # downloads of an open request: counted, and only for those who check
    for _ in range(2):
        assert releases.download(second, "t.csv", "checker1").startswith(b"band")
    refused("download-limit", releases.download, second, "t.csv", "checker1")
    assert releases.download(second, "t.csv", "checker2")
    refused("no-file", releases.download, first, "t.csv", "checker1")  # it has left

    # the two differ: a senior, and neither of them
    outputs.review(second, "checker1", release=True, reason="a")
    outputs.review(second, "checker2", release=False, reason="b")
    refused("roles-not-apart", outputs.settle, second, "checker1", release=True, reason="c")
    assert "Settle it" in pages(f"/outputs/{second}/")["senior", f"/outputs/{second}/"]
    outputs.settle(second, "senior", release=False, reason="c")
    assert outputs.get(second)["status"] == "refused"

    # a safe version by one click: made from the file alone, and what it replaces is withdrawn
    unrounded = outputs.submit(KEY, "researcher@company-x", {"t.csv": b"band,n\n30,51\n40,47\n50,33\n"}, "표",
                               {"run": "", "parts": {}, "tables": {}})  # fmt: skip
    work()
    safe = outputs.safe_version(unrounded, "researcher@company-x")
    work()
    assert (outputs.get(unrounded)["status"], outputs.get(safe)["status"]) == ("withdrawn", "checking")
    assert (outputs.place(KEY, safe) / "t.csv").read_text() == "band,n\n30,50\n40,45\n50,35\n"
    assert {"safe-version", "safe-rounded", "people-unknown"} == {
        each["code"] for each in outputs.notes(safe)["findings"]
    }
    refused("no-safe-version", outputs.safe_version, safe, "researcher@company-x")

    # linked data: the whole board, none of them a checker
    linked = released(outputs, output, ledger, b"drug,n\na,60\n", linked=True)
    good = {
        "related": True,
        "not_identifiable": "on",
        "safety_plan": "yes",
        "reason": "본 기준 충족",
        "related_reason": "주제",
    }
    refused("roles-not-apart", outputs.review_export, linked, "checker1", good)
    refused("no-reason", outputs.review_export, linked, "board1", {**good, "reason": ""})
    outputs.review_export(linked, "board1", good)
    assert outputs.get(linked)["status"] == "agreed"
    refused("checked-already", outputs.review_export, linked, "board1", good)
    assert "1/2" in pages(f"/outputs/{linked}/")["exporter", f"/outputs/{linked}/"]
    outputs.review_export(linked, "board2", good)
    assert outputs.get(linked)["status"] == "exportable"
    assert outputs.get(linked)["export"]["purpose-related"] == {"holds": True, "reason": "주제"}

    brought_in()
    as_crate(releases, first, linked)

    # taken back
    refused("roles-not-apart", releases.revoke, first, "researcher2", "mine")
    refused("no-reason", releases.revoke, first, "senior", " ")
    gone = {"release": first, "downloads": {"t.csv": 2}}
    refused("not-yours", hear, "release.revoked", "company-x", gone)
    releases.revoke(first, "senior", "경계값 오류")
    assert [typ for typ, *_ in SENT] == ["release.revoke", "register.note"]
    refused("not-yours", hear, "release.revoked", "hospital-a", gone)
    hear("release.revoked", "company-x", gone)
    assert "2 downloads before" in pages(f"/outputs/{first}/")["senior", f"/outputs/{first}/"]
    refused("illegal-transition", releases.revoke, first, "senior", "again")


def as_crate(releases, name: str, waiting: str) -> None:
    import io
    import zipfile

    refused("not-released", releases.crate_of, waiting)
    with zipfile.ZipFile(io.BytesIO(releases.crate_of(name))) as crate:
        record = json.loads(crate.read(f"{name}/data/disclosure-record.json"))
        assert crate.read(f"{name}/data/t.csv").startswith(b"band")
    assert (record["files"][0]["route"], record["policy"]["threshold"], record["checkers"]["views"]) == (
        "people",
        10,
        2,
    )


def brought_in() -> None:
    """Files coming in: scanned, hashed, let in by a second person, found by scripts, never changed in between."""
    from ansim.sites.centre import bringing
    from ansim.sites.config import site

    member = "researcher@company-x"
    name = bringing.bring(KEY, member, {"helper.py": b"def add(a, b):\n    return a + b\n"}, "함수")
    work()
    assert bringing.get(KEY, name)["status"] == "waiting"
    seen = pages(f"/workspaces/{KEY}/imports/", f"/workspaces/{KEY}/imports/{name}/", names=("room", "checker"))
    assert "Record my decision" in seen["room", f"/workspaces/{KEY}/imports/{name}/"]
    assert "Record my decision" not in seen["checker", f"/workspaces/{KEY}/imports/{name}/"]
    code = site().path("try")
    code.mkdir()
    bringing.offer(KEY, code)
    assert not (code / "brought").exists()  # not before the second person
    for person in ("researcher", "researcher2"):
        refused("roles-not-apart", bringing.decide, KEY, name, person, admit=True, reason="mine")
    refused("no-reason", bringing.decide, KEY, name, "room", admit=True, reason=" ")
    file = bringing.place(KEY, name) / "helper.py"
    honest = file.read_bytes()
    file.write_bytes(b"changed")
    refused("files-changed", bringing.decide, KEY, name, "room", admit=True, reason="읽어 봄")
    file.write_bytes(honest)
    bringing.decide(KEY, name, "room", admit=True, reason="읽어 봄")
    bringing.offer(KEY, code)
    assert (code / "brought" / "helper.py").read_bytes() == honest
    file.write_bytes(b"changed later")
    refused("files-changed", bringing.offer, KEY, code)
    file.write_bytes(honest)

    names = bringing.bring(KEY, member, {"people.csv": "이름,주민번호\n홍길동,900101-1234568\n".encode()}, "명단")
    work()
    assert bringing.get(KEY, names)["status"] == "refused"
    assert not bringing.place(KEY, names).exists()  # a list of identities is not kept
    refused("illegal-transition", bringing.decide, KEY, names, "room", admit=True, reason="a")
    codes = bringing.bring(KEY, member, {"codes.csv": b"code\nJ32\n"}, "코드")
    work()
    assert [each["code"] for each in bringing.notes(codes)] == ["outside-data"]
    bringing.decide(KEY, codes, "room", admit=False, reason="불필요")
    assert not bringing.place(KEY, codes).exists()
    refused("illegal-transition", bringing.decide, KEY, codes, "room", admit=True, reason="a")
    for bad in ("../x.py", "a/b.py", ".hidden.py", "x\n.py"):
        refused("file-name", bringing.bring, KEY, member, {bad: b"x"}, "이름")
    pages(f"/workspaces/{KEY}/imports/{codes}/", f"/workspaces/{KEY}/imports/{names}/", names=("room",))


# --- the desk ---


def desk() -> None:
    from ansim.sites.config import site
    from ansim.sites.store import ledger
    from ansim.sites.store.models import Event
    from ansim.sites.user import work as desk_work

    folder = site().path("releases", "out-1")
    folder.mkdir(parents=True)
    (folder / "t.csv").write_bytes(b"band,n\n30,50\n")
    import hashlib

    sha256 = hashlib.sha256(b"band,n\n30,50\n").hexdigest()
    manifest = {"agreement": KEY, "files": [{"name": "t.csv", "sha256": sha256}], "downloads": 2}
    data = {
        "id": "out-1",
        "agreement": KEY,
        "manifest": manifest,
        "sender": "centre-1",
        "at": "2026-11-24T09:00:00+00:00",
    }
    ledger.record("release", "out-1", data, status="received")

    for _ in range(2):
        assert desk_work.download("out-1", "t.csv", "researcher") == b"band,n\n30,50\n"
    refused("download-limit", desk_work.download, "out-1", "t.csv", "researcher")
    assert Event.objects.filter(stream="release:out-1", type="release.downloaded").count() == 2
    assert "2/2" in pages("/releases/out-1/", "/releases/", names=("researcher",))["researcher", "/releases/out-1/"]

    order = {"agreement": KEY, "release": "out-1", "reason": "경계값 오류"}
    refused("not-the-centre", hear, "release.revoke", "centre-2", order)
    assert (folder / "t.csv").exists()
    hear("release.revoke", "centre-1", order)
    work()
    assert list(folder.iterdir()) == []
    assert SENT == [
        ("release.revoked", {"release": "out-1", "downloads": {"t.csv": 2}}, {"to": "centre-1", "sealed": True})
    ]
    refused("release-revoked", desk_work.download, "out-1", "t.csv", "researcher")
    assert "경계값 오류" in pages("/releases/out-1/", names=("researcher",))["researcher", "/releases/out-1/"]
    assert digest(manifest) == digest(data["manifest"])


if __name__ == "__main__":
    begin(sys.argv[1], Path(sys.argv[2]))
    {"centre": centre, "user": desk}[sys.argv[1]]()
