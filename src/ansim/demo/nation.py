"""A small nation on one laptop: who its sites are, their keys and trust, and its people.

Everything here is what real founders of a nation would do by hand: offline trust roots sign the site directory two of
three, the ministry signs designations, the company signs its member list. The offline keys lie in `nation/trust/`,
which no site reads.
"""

import base64
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansim.governance.papers.certificate import certificate as make_certificate
from ansim.sites import init
from ansim.sites.exchange import signed
from ansim.sites.keeper import keystore
from ansim.sites.keeper.keystore import Keystore, new_key, public, write_private

YEARS = timedelta(days=3 * 365)
POLICY = {"threshold": 10, "rounding": 5}


@dataclass(frozen=True)
class Place:
    """One site of the nation."""

    id: str
    kind: str
    ko: str
    en: str
    people: dict[str, tuple[str, list[str]]] = field(default_factory=dict)  # user name -> (name, roles)
    transport: str = "http"


def hospital(letter: str, transport: str = "http") -> Place:
    low = letter.lower()
    return Place(
        f"hospital-{low}",
        "holder",
        f"{letter} 병원",
        f"Hospital {letter}",
        {
            f"steward-{low}": ("데이터 관리자", ["steward"]),
            f"operator-{low}": ("가명처리 담당자", ["operator", "reviewer"]),  # both: never over the own extract
            f"reviewer1-{low}": ("적정성 검토자 1", ["reviewer"]),
            f"reviewer2-{low}": ("적정성 검토자 2", ["reviewer"]),
            f"chair-{low}": ("심의위원장", ["chair"]),
            f"member1-{low}": ("심의위원 1", ["member"]),
            f"member2-{low}": ("심의위원 2", ["member"]),
            f"member3-{low}": ("심의위원 3", ["member"]),
            f"outsider-{low}": ("외부 심의위원", ["outsider"]),
            f"secretary-{low}": ("심의위원회 간사", ["secretary"]),
            f"officer-{low}": ("개인정보 보호책임자", ["officer"]),
            f"legal-{low}": ("협약 서명권자", ["signatory"]),
            f"auditor-{low}": ("감사 담당자", ["auditor"]),
            f"admin-{low}": ("사이트 관리자", ["admin"]),
        },
        transport,
    )


def _public_body() -> Place:
    return Place("public-body", "holder", "공공기관 P (청구자료)", "Public Body P (claims)", hospital("P").people)


PLACES = [
    Place(
        "hub",
        "hub",
        "의료데이터 중개 포털",
        "National Medical Data Portal",
        {
            "coordinator": ("중개 담당자", ["coordinator", "admin"]),
            "researcher": ("김연구", ["researcher"]),
            "researcher2": ("박분석", ["researcher"]),
        },
    ),
    hospital("A"),
    hospital("B", "folder"),
    hospital("C"),
    _public_body(),
    Place(
        "centre-1",
        "centre",
        "안심활용센터 1",
        "Safe-Utilisation Centre 1",
        {
            "room": ("운영자", ["room"]),
            "checker1": ("반출 심사위원 1", ["checker"]),
            "checker2": ("반출 심사위원 2", ["checker"]),
            "senior": ("선임 심사위원", ["senior"]),
            "exporter": ("반출심의 위원", ["exporter"]),
            "auditor": ("감사 담당자", ["auditor"]),
            "admin": ("사이트 관리자", ["admin"]),
            "researcher": ("김연구", ["researcher"]),
            "researcher2": ("박분석", ["researcher"]),
        },
    ),
    Place(
        "keyagency-1",
        "keyagency",
        "결합키관리기관",
        "Linkage-Key Agency",
        {"keys": ("결합키 담당자", ["operator", "admin"])},
    ),
    Place(
        "company-x",
        "user",
        "X 주식회사",
        "Company X",
        {
            "researcher": ("김연구", ["researcher"]),
            "researcher2": ("박분석", ["researcher"]),
            "legal": ("계약 담당자", ["legal"]),
            "admin": ("사이트 관리자", ["admin"]),
        },
    ),
]
MEMBERS = {"researcher@company-x": ("김연구", "pi"), "researcher2@company-x": ("박분석", "analyst")}


class Nation:
    """The nation in one folder. places: its sites, the demo's eight unless others are given."""

    def __init__(self, folder: Path, port: int = 8600, places: list[Place] | None = None):
        self.folder, self.port, self.places = folder, port, places or PLACES
        self.trust = folder / "trust"

    def site(self, site_id: str) -> Path:
        return self.folder / site_id

    def port_of(self, site_id: str) -> int:
        return self.port + [place.id for place in self.places].index(site_id)

    def url(self, site_id: str) -> str:
        return f"http://127.0.0.1:{self.port_of(site_id)}"

    def passphrase_file(self, site_id: str) -> Path:
        return self.folder / "passphrases" / site_id

    @property
    def sign_ins(self) -> dict[str, dict[str, str]]:
        """site -> user name -> password"""
        return json.loads((self.folder / "sign-ins.json").read_text("utf-8"))

    def exists(self) -> bool:
        return (self.folder / "sign-ins.json").exists()

    def found(self, witness_seconds: float = 5.0) -> None:
        """Make every site, and sign who is who. Written last: sign-ins.json, so a half-made nation is made again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "passphrases").mkdir(exist_ok=True, mode=0o700)
        self.trust.mkdir(exist_ok=True, mode=0o700)
        roots = [self._offline(f"root-{number}") for number in (1, 2, 3)]
        ministry = self._offline("ministry")
        trust = {"roots": [public(root) for root in roots], "threshold": 2, "ministry": public(ministry)}
        keys = {place.id: self._make_site(place, trust, witness_seconds) for place in self.places}
        now = datetime.now(UTC)
        notices = {
            "directory": self.sign_directory(self._directory(keys, now), roots[:2]),
            "designations": self.sign_designations(now),
            "members-company-x": self._members(keys["company-x"], now),
        }
        for place in self.places:
            target = self.site(place.id) / "notices"
            target.mkdir(exist_ok=True)
            for name, notice in notices.items():
                (target / f"{name}.json").write_text(json.dumps(notice), encoding="utf-8")
        (self.folder / "directory.json").write_text(
            json.dumps(notices["directory"]["document"], indent=1, ensure_ascii=False)
        )
        passwords = {place.id: self._accounts(place) for place in self.places}
        write_private(self.folder / "sign-ins.json", json.dumps(passwords, indent=1).encode())

    def _offline(self, name: str) -> dict:
        file = self.trust / f"{name}.json"
        if not file.exists():
            write_private(file, json.dumps(new_key("sig")).encode())
        return json.loads(file.read_text())

    def _make_site(self, place: Place, trust: dict, witness_seconds: float) -> dict[str, dict]:
        folder, secret = self.site(place.id), self.passphrase_file(place.id)
        if (folder / "site.toml").exists():
            return {name: public(key) for name, key in Keystore(folder / "keys", secret.read_bytes()).keys.items()}
        if not secret.exists():
            write_private(secret, secrets.token_urlsafe(32).encode())
        settings: dict[str, Any] = {
            "port": self.port_of(place.id),
            "hub_url": self.url("hub"),
            "transport": place.transport,
            "demo": True,
            "member_list_days": 14,
            "witness_seconds": witness_seconds,
        }
        if place.kind in {"holder", "centre"}:
            settings["policy"] = POLICY
        if place.kind == "centre":
            settings["options"] = {"lab_port": self.port_of(place.id) + 20}
        members = {name: "sig" for name in MEMBERS} if place.kind == "user" else {}
        return init.make(
            folder,
            id=place.id,
            kind=place.kind,
            name={"ko": place.ko, "en": place.en},
            passphrase=secret.read_bytes(),
            trust=trust,
            extra_keys=members,
            **settings,
        )

    def _directory(self, keys: dict[str, dict[str, dict]], now: datetime) -> dict:
        valid = {"not_before": now.isoformat(), "not_after": (now + YEARS).isoformat()}
        sites = []
        for place in self.places:
            certificate = self._certificate(place, now)
            own = {name: keys[place.id][name] for name in ("site", "receive")}
            sites.append(
                {
                    "id": place.id,
                    "kind": place.kind,
                    "name": {"ko": place.ko, "en": place.en},
                    "keys": [{"kid": key["kid"], "use": key["use"], "jwk": key, **valid} for key in own.values()],
                    "certificate": base64.b64encode(certificate).decode(),
                }
            )
        return {
            "ansim": "directory/1",
            "seq": 1,
            "demo": True,
            "issued": now.isoformat(),
            "expires": (now + YEARS).isoformat(),
            "sites": sites,
            "revoked": [],
        }

    def _certificate(self, place: Place, now: datetime) -> bytes:
        store = Keystore(self.site(place.id) / "keys", self.passphrase_file(place.id).read_bytes())
        private = store.signing_key("site")
        return make_certificate(
            place.id,
            private.public_key(),
            private.sign,
            organisation=place.en,
            not_before=now,
            not_after=now + YEARS,
        )

    def sign_directory(self, document: dict, roots: list[dict]) -> dict:
        notice: dict = {"document": document, "signatures": []}
        for root in roots:
            notice = signed.sign_document(document, root["kid"], _signer(root), notice["signatures"])
        return notice

    def sign_designations(self, now: datetime, seq: int = 1, suspended: tuple[str, ...] = ()) -> dict:
        """The ministry's list of designated bodies."""
        bodies = [
            {
                "id": site,
                "roles": roles,
                "scope": ["health"],
                "not_before": now.date().isoformat(),
                "not_after": (now + YEARS).date().isoformat(),
                "suspended": site in suspended,
            }
            for site, roles in {"centre-1": ["centre", "linker"], "keyagency-1": ["keyagency"]}.items()
        ]
        document = {
            "ansim": "designations/1",
            "seq": seq,
            "issued": now.isoformat(),
            "expires": (now + timedelta(days=400)).isoformat(),
            "designations": bodies,
        }
        ministry = self._offline("ministry")
        return signed.sign_document(document, ministry["kid"], _signer(ministry))

    def _members(self, keys: dict[str, dict], now: datetime) -> dict:
        document = {
            "ansim": "members/1",
            "org": "company-x",
            "seq": 1,
            "issued": now.isoformat(),
            "expires": (now + timedelta(days=90)).isoformat(),
            "members": [
                {"id": name, "name": who, "role": role, "key": keys[name]} for name, (who, role) in MEMBERS.items()
            ],
        }
        store = Keystore(self.site("company-x") / "keys", self.passphrase_file("company-x").read_bytes())
        return signed.sign_document(document, keys["site"]["kid"], store.signing_key("site").sign)

    def _accounts(self, place: Place) -> dict[str, str]:
        passwords = {name: f"{name}-{secrets.token_hex(4)}" for name in place.people}
        accounts = [
            {
                "username": name,
                "name": who,
                "password": passwords[name],
                "roles": roles,
                "organisation": "company-x" if roles == ["researcher"] else place.id,
            }
            for name, (who, roles) in place.people.items()
        ]
        write_private(self.site(place.id) / "accounts.json", json.dumps(accounts).encode())
        return passwords


def _signer(jwk: dict):
    return keystore.signing_key(jwk).sign
