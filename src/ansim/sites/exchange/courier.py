"""Carries a folder site's files to the hub and back: what people with a USB stick, or a one-way gateway, would do.

It needs no key: the site leaves a signed ticket for its own mailbox in `out/`, and everything it carries is signed and,
where it matters, encrypted by others. It believes nothing: names that come from the hub must look as they should before
they become files, and the hub forgets a thing only after it lies on this side's disk.
"""

import json
import logging
import os
import re
import time
from pathlib import Path

import httpx

from ansim.sites.config import read
from ansim.sites.exchange import outbound
from ansim.sites.keeper.keystore import sync_folder, write_private

PIECE = 4 * 1024 * 1024
REFUSED = {400, 404, 413, 422}  # for good; anything else is tried again
NOTICE = re.compile(r"[a-z0-9][a-z0-9:-]{0,149}")
BLOB = re.compile(r"[0-9a-f]{64}")
log = logging.getLogger("ansim.courier")


def carry(folder: Path, hub_url: str, stop=lambda: False, pause: float = 0.1) -> None:
    """Go back and forth until `stop()`."""
    out, inbox = folder / "out", folder / "in"
    known: dict[str, int] = {}
    with httpx.Client(base_url=hub_url, timeout=30, **outbound.options(read(folder))) as client:
        while not stop():
            try:
                if (out / "ticket").exists():
                    headers = {"Authorization": f"Bearer {(out / 'ticket').read_text()}"}
                    _outward(client, headers, out)
                    _inward(client, headers, inbox, known)
            except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError) as error:
                log.warning("the courier turns back: %s", type(error).__name__)
                time.sleep(0.5)
            time.sleep(pause)


def _outward(client: httpx.Client, headers: dict, out: Path) -> None:
    for file in sorted(out.glob("*.blob")):
        _carry_out(client, headers, file)
    for pattern, path in (("*.notice", "/exchange/notices"), ("*.envelope", "/exchange/envelopes")):
        for file in sorted(out.glob(pattern)):
            wire = file.read_bytes()
            answer = client.post(path, content=wire, headers={**headers, "Content-Type": "application/json"})
            if answer.status_code in REFUSED and pattern == "*.envelope":
                content = {"wire": json.loads(wire), "answer": answer.text[:200]}
                write_private(file.with_suffix(".refused"), json.dumps(content).encode())
            elif answer.status_code >= 400 and answer.status_code not in REFUSED:
                answer.raise_for_status()  # order is kept: what comes after waits too
            file.unlink()


def _carry_out(client: httpx.Client, headers: dict, file: Path) -> None:
    to, _, name = file.stem.rpartition(".")
    size = file.stat().st_size
    about: dict[str, str | int] = {"to": to, "size": size}
    have = int(
        client.get(f"/exchange/blobs/{name}/size", params=about, headers=headers).raise_for_status().json()["size"]
    )
    with file.open("rb") as stream:
        while have < size:
            stream.seek(have)
            answer = client.put(
                f"/exchange/blobs/{name}", params={"offset": have, **about}, content=stream.read(PIECE), headers=headers
            ).raise_for_status()
            now = int(answer.json()["size"])
            if now <= have:
                raise ValueError("the hub did not take the next piece")
            have = now
    file.unlink()


def _inward(client: httpx.Client, headers: dict, inbox: Path, known: dict[str, int]) -> None:
    found = client.get("/exchange/poll", params={"wait": 0}, headers=headers).raise_for_status().json()
    for name, seq in found["notices"].items():
        if NOTICE.fullmatch(name) and known.get(name, 0) < int(seq):
            content = client.get(f"/exchange/notices/{name}", headers=headers).raise_for_status().content
            write_private(inbox / f"{name.replace(':', '-')}-{int(seq)}.notice", content)
            known[name] = int(seq)
    for blob in found["blobs"]:
        if BLOB.fullmatch(blob):
            _carry_in(client, headers, inbox, blob)
    for mail in found["mail"]:
        write_private(inbox / f"{int(mail['id']):020d}.envelope", json.dumps(mail["wire"]).encode())
    if found["mail"]:
        ids = [mail["id"] for mail in found["mail"]]
        client.post("/exchange/ack", json={"ids": ids}, headers=headers).raise_for_status()


def _carry_in(client: httpx.Client, headers: dict, inbox: Path, name: str) -> None:
    part = inbox / f".{name}.part"
    with part.open("ab") as stream:
        while True:
            about = {"offset": stream.tell(), "length": PIECE}
            answer = client.get(f"/exchange/blobs/{name}", params=about, headers=headers).raise_for_status()
            stream.write(answer.content)
            if stream.tell() >= int(answer.headers["x-blob-size"]):
                break
            if not answer.content:
                raise ValueError("the hub gave nothing")
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(inbox / f"{name}.blob")
    sync_folder(inbox)
    client.delete(f"/exchange/blobs/{name}", headers=headers)
