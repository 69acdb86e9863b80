"""The second factor at a hospital, from setting it up to losing it; run by test_people.py with a folder."""

import sys
import time
from pathlib import Path

import api_life
import back_rooms
import pyotp

WORLD = back_rooms.World(Path(sys.argv[1]), "hospital-a")
PASSWORD = "correct horse battery"
JSON = {"accept": "application/json", "accept-language": "en"}


class Person:
    """Somebody at the site, with a phone whose clock is `ahead` seconds ahead of the machine's."""

    def __init__(self, name: str):
        from django.test import Client

        self.name, self.browser, self.secret = name, Client(SERVER_NAME="127.0.0.1", headers=JSON), ""

    def post(self, address: str, **values: str):
        return self.browser.post(address, values, "application/json")

    def sign_in(self, code: str = "", password: str = PASSWORD) -> str:
        """What the site says: nothing when it opens."""
        values = {"username": self.name, "password": password} | ({"code": code} if code else {})
        answer = self.post("/sign-in/", **values)
        return "" if answer.status_code == 200 else answer.json()["message"]

    def code(self, ahead: float = 0) -> str:
        return pyotp.TOTP(self.secret).at(int(time.time() + ahead))

    def begin(self) -> None:
        answer = self.browser.get("/account/second-factor/")
        assert answer.status_code == 200, answer.content
        address = answer.json()["address"]
        assert address.startswith("otpauth://totp/")
        self.secret = pyotp.parse_uri(address).secret


def set_up() -> tuple[Person, list[str]]:
    from ansim.sites import people

    people.add("kim", "김간사", PASSWORD, ["secretary"], "hospital-a")
    person, elsewhere = Person("kim"), Person("kim")
    assert person.sign_in() == elsewhere.sign_in() == ""  # a demo asks for none
    assert person.browser.get("/account/").json()["second_factor"] is False
    person.begin()
    for language, word in (("ko", "인증 앱"), ("en", "authenticator app")):
        page = person.browser.get(
            "/account/second-factor/", headers={"accept": "text/html", "accept-language": language}
        )
        assert word in page.content.decode()
    drawn = person.browser.get("/account/second-factor/qr.svg")
    assert drawn.content.startswith(b"<svg")
    assert drawn.headers["Cache-Control"] == "no-store"
    wrong = person.post("/account/second-factor/set/", code="000000")
    assert wrong.json()["where"] == "code"
    assert person.sign_in() == ""  # nothing counts before the first right code
    person.begin()
    codes = person.post("/account/second-factor/set/", code=person.code()).json()["recovery_codes"]
    assert len(set(codes)) == 8
    assert elsewhere.browser.get("/account/").status_code == 401  # a session without it is over
    return person, codes


def nothing_in_clear(person: Person, codes: list[str]) -> None:
    """Neither the secret nor a recovery code stands in the database; (control) the sealed box does."""
    from ansim.sites import second

    held = b"".join(file.read_bytes() for file in WORLD.folder.glob("site.sqlite3*"))
    assert person.secret.encode() not in held
    assert not [code for code in codes if code.encode() in held or code.replace("-", "").encode() in held]
    assert second.of("kim")["box"].encode() in held


def signs_in(person: Person, codes: list[str]) -> None:
    from ansim.sites import second
    from ansim.sites.store.models import Record

    words = "The user name, the password or the code is wrong, or the code was used before."
    other = Person("kim")
    other.secret = person.secret
    assert other.sign_in() == words
    assert other.sign_in(other.code()) == words  # used: it set the factor up
    assert other.sign_in(other.code(30), "wrong password") == words
    assert other.sign_in(other.code(30)) == ""  # the phone is half a minute ahead
    assert Person("kim").sign_in(other.code(30)) == words  # replayed by who looked over the shoulder
    Record.objects.filter(kind="sign-in").delete()  # the wait after wrong tries is not what is tried here
    assert Person("kim").sign_in(other.code(-120)) == words
    assert Person("kim").sign_in(codes[0].lower()) == ""
    assert Person("kim").sign_in(codes[0]) == words
    assert len(second.of("kim")["codes"]) == 7
    Record.objects.filter(kind="sign-in").delete()
    data = second.of("kim")
    Record.objects.create(kind=second.KIND, key="lee", data={**data, "last": 0}, updated="")  # another's box, copied
    from ansim.sites import people

    people.add("lee", "이", PASSWORD, ["chair"])
    stolen = Person("lee")
    assert stolen.sign_in(person.code()) == "This was not sealed here for that."
    Record.objects.filter(kind=second.KIND, key="lee").delete()


def steps_up(person: Person, codes: list[str]) -> None:
    """An act that binds asks for password and a fresh code; one of both is not enough."""
    assert Person.sign_in(person, codes[1]) == ""
    session = person.browser.session
    session["stepped_up"] = 0
    session.save()
    assert person.post("/account/second-factor/remove/").json()["code"] == "step-up"
    assert person.post("/step-up/", password=PASSWORD).status_code == 400
    assert person.post("/step-up/", password=PASSWORD, code="123456").status_code == 400
    assert person.post("/step-up/", password="wrong", code=codes[2]).status_code == 400
    assert person.post("/step-up/", password=PASSWORD, code=codes[3]).status_code == 200
    assert person.post("/account/second-factor/remove/").status_code == 200
    assert Person("kim").sign_in() == ""


def demanded() -> None:
    """Where the role needs one, nothing is open before it is set up, and it cannot be taken away."""
    from ansim.sites import people, second
    from ansim.sites.config import site

    site().options["second_factor"] = ["chair"]
    people.add("park", "박위원장", PASSWORD, ["chair"])
    chair = Person("park")
    answer = chair.post("/sign-in/", username="park", password=PASSWORD)
    assert answer.json()["enrol"] == "/account/second-factor/"
    for address in ("/", "/board/", "/ledger/", "/account/"):
        assert chair.browser.get(address).json()["code"] == "enrol", address
    assert chair.browser.get("/", headers={"accept": "text/html"}).headers["Location"] == "/account/second-factor/"
    chair.begin()
    assert chair.post("/account/second-factor/set/", code=chair.code()).status_code == 200
    assert chair.browser.get("/board/").status_code == 200
    assert chair.post("/account/second-factor/remove/").json()["code"] == "needs-second-factor"
    assert second.required(["chair"])
    assert not second.required(["steward"])
    kim = Person("kim")
    assert kim.sign_in() == ""  # (control) another role goes on as before
    assert kim.browser.get("/board/").status_code == 200


def main() -> None:
    with api_life.site(WORLD):
        person, codes = set_up()
        nothing_in_clear(person, codes)
        signs_in(person, codes)
        steps_up(person, codes)
        demanded()


if __name__ == "__main__":
    main()
