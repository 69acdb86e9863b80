"""What a company's desk and a hospital's board say to bad input; run by test_api.py with a folder.

Scripts, emoji, right-to-left text, days that do not exist, files that are too large or not what they say, stale
versions, acts out of their turn: each names the field and the remedy in both languages, and nothing is half-saved.
"""

import sys
from pathlib import Path

import api_life
import back_rooms

from ansim.sites.web import attachments

WORLD = back_rooms.World(Path(sys.argv[1]), "company-x")
HOSTILE = "<script>alert('x')</script>"
ODD = "김\u202e\u05d0\u05d1\u202c \U0001f469\u200d\U0001f52c"
PDF = b"%PDF-1.7\n%%EOF\n"


def post(browser, address: str, language: str = "en", **values):
    return browser.post(address, values, headers={"accept": "application/json", "accept-language": language})


def wrong(answer) -> dict[str, str]:
    """{field: words} of a refusal."""
    assert answer.status_code == 400, answer.content[:500]
    told = answer.json()
    return {each["where"]: each["message"] for each in told.get("problems", [told])}


def request_fields(**changes) -> dict:
    import yaml

    query = yaml.safe_dump(WORLD.terms()["query"])
    fields = {
        "investigation": "DCR",
        "title_ko": "연구",
        "title_en": "Study",
        "areas": ["respiratory"],
        "purpose": "scientific research",
    }
    return {**fields, "text": "?", "query": query, "holders": ["hospital-a"], **changes}


def texts(browser) -> str:
    """Names of any script are kept as they are and shown as text; what cannot be kept is refused by field."""
    answer = post(browser, "/requests/new/", **request_fields(title_en=HOSTILE, title_ko=ODD, text=HOSTILE))
    assert answer.status_code == 200, answer.content
    key = answer.json()["id"]
    held = browser.get(f"/requests/{key}/", headers={"accept": "application/json"}).json()["request"]
    assert held["title"] == {"ko": ODD, "en": HOSTILE}
    for language, name in (("ko", ODD), ("en", "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;")):
        page = browser.get(f"/requests/{key}/", headers={"accept": "text/html", "accept-language": language})
        assert page.status_code == 200
        assert name in page.content.decode()
        assert "<script" not in page.content.decode()
    before = api_life.kept()
    assert wrong(post(browser, f"/requests/{key}/message/", holder="hospital-a", text="a\x00b"))["text"]
    assert wrong(post(browser, "/requests/new/", **request_fields(title_en="x" * 201)))["title_en"]
    assert wrong(post(browser, "/requests/new/", **request_fields(holders=["nowhere"])))["holders"]
    two = wrong(post(browser, "/requests/new/", **request_fields(areas=[], purpose="profit")))
    assert set(two) == {"areas", "purpose"}
    assert "2026-11-23" in str(
        wrong(post(browser, f"/requests/{key}/apply/", "ko", not_before="2026-02-30"))["not_before"]
    )
    assert api_life.kept() == before
    return key


def files(browser, key: str) -> None:
    """A protocol is told by its content: another kind, an empty and a too large one are refused at the field."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    fields = {"summary_ko": "요약", "summary_en": "Summary", "modes": ["federated"], "centre": "centre-1"}
    fields |= {"not_before": "2026-12-01", "not_after": "2027-12-01", "max_persons": "100"}
    fields |= {"people": ["researcher@company-x"]}
    attachments.MEGABYTES = 1
    before = api_life.kept()
    for name, content in {
        "protocol.exe": b"MZ",
        "protocol.pdf": b"PK\x03\x04",
        "protocol.docx": PDF,
        "protocol.txt": b"\xff\x00",
        "empty.pdf": b"",
        "large.pdf": PDF + bytes(2**20),
        "x" * 120 + ".pdf": PDF,
    }.items():
        told = wrong(post(browser, f"/requests/{key}/apply/", **fields, protocol=SimpleUploadedFile(name, content)))
        assert list(told) == ["protocol"], (name, told)
    assert "20 MB" not in str(told)
    assert api_life.kept() == before
    good = SimpleUploadedFile("계획서.pdf", PDF)
    answer = post(browser, f"/requests/{key}/apply/", **fields, protocol=good)
    assert answer.status_code == 200, answer.content  # (control) the same with a real one
    assert "protocol" not in answer.json()


def turns(browser, key: str) -> None:
    """Acts out of their turn and stale versions are refused in words, without a trace in the record."""
    before = api_life.kept()
    again = browser.post(
        "/applications/new/",
        {"document": {"ansim": "application/0"}, "request": key},
        "application/json",
        headers={"accept": "application/json"},
    )
    assert again.status_code == 400
    assert again.json()["message"]
    for address in ("/requests/req-none/", "/agreements/agr-none/", "/releases/none/"):
        answer = browser.get(address, headers={"accept": "application/json"})
        assert answer.status_code in {400, 404}, address
        assert answer.json()["message"]
    answer = browser.get("/nowhere/", headers={"accept": "application/json", "accept-language": "ko"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert api_life.kept() == before


def sessions(browser) -> None:
    """A session that is over, a token that is missing, a body beyond the limit: said in words, to programs too."""
    from django.conf import settings
    from django.test import Client

    stranger = Client(SERVER_NAME="127.0.0.1", enforce_csrf_checks=True, headers={"accept": "application/json"})
    assert stranger.get("/requests/new/").json()["code"] == "sign-in"
    assert stranger.post("/sign-in/", {"username": "x", "password": "y"}).json()["code"] == "expired"
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    large = browser.post(
        "/requests/new/", {"text": "x" * 2000}, "application/json", headers={"accept": "application/json"}
    )
    assert (large.status_code, large.json()["code"]) == (400, "unreadable")


def main() -> None:
    with api_life.site(WORLD):
        browser = api_life.everybody("researcher")
        key = texts(browser)
        files(browser, key)
        turns(browser, key)
        sessions(browser)


if __name__ == "__main__":
    main()
