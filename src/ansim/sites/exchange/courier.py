"""Carries a folder site's files to the hub and back: what people with a USB stick, or a one-way gateway, would do.

It needs no key: the site leaves a signed ticket for its own mailbox in `out/`, and everything it carries is signed and,
where it matters, encrypted by others.
"""

import json
import time
from pathlib import Path

import httpx

PIECE = 4 * 1024 * 1024


def carry(folder: Path, hub_url: str, stop=lambda: False, pause: float = 0.1) -> None:
    """Go back and forth until `stop()`."""
    out, inbox = folder / "out", folder / "in"
    known: dict[str, int] = {}
    with httpx.Client(base_url=hub_url, timeout=30) as client:
        while not stop():
            try:
                if (out / "ticket").exists():
                    headers = {"Authorization": f"Bearer {(out / 'ticket').read_text()}"}
                    _outward(client, headers, out)
                    _inward(client, headers, inbox, known)
            except httpx.HTTPError:
                time.sleep(0.5)
            time.sleep(pause)


def _outward(client: httpx.Client, headers: dict, out: Path) -> None:
    for file in sorted(out.glob("*.blob")):
        to, _, name = file.stem.rpartition(".")
        content = file.read_bytes()
        have = client.get(f"/exchange/blobs/{name}/size", params={"to": to}, headers=headers).json()["size"]
        while have < len(content):
            piece = content[have : have + PIECE]
            have = client.put(
                f"/exchange/blobs/{name}", params={"offset": have, "to": to}, content=piece, headers=headers
            ).json()["size"]
        file.unlink()
    for pattern, path in (("*.notice", "/exchange/notices"), ("*.envelope", "/exchange/envelopes")):
        for file in sorted(out.glob(pattern)):
            answer = client.post(
                path, content=file.read_bytes(), headers={**headers, "Content-Type": "application/json"}
            )
            if answer.status_code < 500:
                file.unlink()


def _inward(client: httpx.Client, headers: dict, inbox: Path, known: dict[str, int]) -> None:
    answer = client.get("/exchange/poll", params={"wait": 0}, headers=headers)
    if answer.status_code != 200:
        return
    found = answer.json()
    for name, seq in found["notices"].items():
        if known.get(name, 0) < seq:
            _write(
                inbox,
                f"{name.replace(':', '-')}-{seq}.notice",
                client.get(f"/exchange/notices/{name}", headers=headers).content,
            )
            known[name] = seq
    for blob in found["blobs"]:
        _carry_blob(client, headers, inbox, blob)
    for mail in found["mail"]:
        _write(inbox, f"{mail['id']:020d}.envelope", json.dumps(mail["wire"]).encode())
    if found["mail"]:
        client.post("/exchange/ack", json={"ids": [mail["id"] for mail in found["mail"]]}, headers=headers)


def _carry_blob(client: httpx.Client, headers: dict, inbox: Path, name: str) -> None:
    content = b""
    while True:
        answer = client.get(
            f"/exchange/blobs/{name}", params={"offset": len(content), "length": PIECE}, headers=headers
        )
        answer.raise_for_status()
        content += answer.content
        if len(content) >= int(answer.headers["x-blob-size"]):
            break
    _write(inbox, f"{name}.blob", content)
    client.delete(f"/exchange/blobs/{name}", headers=headers)


def _write(folder: Path, name: str, content: bytes) -> None:
    temporary = folder / f".{name}.part"
    temporary.write_bytes(content)
    temporary.replace(folder / name)
