"""The key process: it alone opens the site's keys, and does a few things with them for the web process.

Requests are one JSON line each over a Unix socket; only processes of the same user, root, and (apart) the site's own
user are served. Secrets go in, results come out; no verb gives a private key or a project secret back.
"""

import base64
import ctypes
import json
import logging
import os
import pwd
import resource
import signal
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from joserfc import jwe

from ansim.errors import N_, Problem
from ansim.privacy.deid import keys as deid_keys
from ansim.privacy.linkage import oprf
from ansim.privacy.linkage import tokens as linkage_tokens
from ansim.sites import fitness
from ansim.sites.config import read
from ansim.sites.exchange import notices, signed
from ansim.sites.exchange.signed import RECEIVE
from ansim.sites.keeper import totp
from ansim.sites.keeper.keystore import Keystore, agreed, public

log = logging.getLogger("ansim.keeper")
SITE_KEY = "site"
MAX_REQUEST = 256 * 1024 * 1024  # bytes of one request
_registry = jwe.JWERegistry(algorithms=RECEIVE)
_registry.max_ciphertext_length = 64 * 1024 * 1024  # papers and linkage rows; what is larger goes as a blob


class Verbs:
    """What the key process does when asked; each method is a verb."""

    def __init__(self, store: Keystore, trust: notices.Trust | None = None):
        self._store, self._trust = store, trust
        self._lock = threading.Lock()

    def public(self) -> dict:
        return {name: public(key) for name, key in self._store.keys.items()}

    def add_key(self, name: str, use: str) -> dict:
        with self._lock:
            return self._store.add(name, use)

    def sign(self, key: str, data: str) -> str:
        content = base64.b64decode(data)
        if key != SITE_KEY and _typ(content) != "ansim-document":  # members sign documents and nothing else
            raise Problem("not-a-document", N_("The key {key} signs documents only."), key=key)
        return base64.b64encode(self._store.signing_key(key).sign(content)).decode()

    def decrypt(self, key: str, token: str) -> str:
        found = jwe.decrypt_compact(token, self._store.private(key), registry=_registry)
        return base64.b64encode(found.plaintext or b"").decode()

    def agree(self, peers: dict[str, dict], labels: dict[str, str]) -> dict[str, str]:
        """What this site has in common with each peer (its receiving key, a JWK) for the use that the label names."""
        private: Any = self._store.private("receive").private_key
        return {peer: agreed(private, jwk, labels[peer]).hex() for peer, jwk in peers.items()}

    def _secret(self, project: str) -> bytes:
        with self._lock:
            return self._store.project_secret(project)

    def pseudonyms(self, project: str, ids: list) -> list[str]:
        return [str(token) for token in deid_keys.pseudonyms(self._secret(project), ids)]

    def shifts(self, project: str, ids: list, days: int) -> list[int]:
        return [int(shift) for shift in deid_keys.date_shifts(self._secret(project), ids, days=days)]

    def serials(self, project: str, ids: list) -> list[str]:
        return [str(serial) for serial in deid_keys.serials(self._secret(project), ids)]

    def salt_for(self, project: str, receiver: str, directory: dict) -> str:
        """The project's linkage salt, made at first use and encrypted to another holder.

        directory: the signed site directory, verified here against the pinned roots, so that a web process in wrong
        hands cannot have the salt encrypted to a key of its own.
        """
        if self._trust is None:
            raise Problem("no-trust", N_("This key process was started without trust roots."))
        known = notices.Directory(signed.open_document(directory, self._trust.roots, self._trust.threshold))
        if known.site(receiver)["kind"] != "holder":
            raise Problem("not-a-holder", N_("{site} is no data holder."), site=receiver)
        key = known.receive_key(receiver, datetime.now(UTC))
        salt = self._secret(f"{project}.link")
        return jwe.encrypt_compact({"alg": RECEIVE[0], "enc": RECEIVE[1]}, salt, _key(key), algorithms=RECEIVE)

    def take_salt(self, project: str, key: str, token: str) -> None:
        salt = jwe.decrypt_compact(token, self._store.private(key), algorithms=RECEIVE).plaintext or b""
        with self._lock:
            self._store.project_secret(f"{project}.link", given=salt)

    def blind_keys(self, project: str, rows: list[dict]) -> str:
        """Identities in, elements for the key agency out."""
        return base64.b64encode(linkage_tokens.blinded(self._secret(project), rows)).decode()

    def unblind_keys(self, project: str, rows: list[dict], evaluated: str) -> list[dict]:
        """The same identities and what the agency made of their elements in, match keys out."""
        salt = self._secret(f"{project}.link")
        return linkage_tokens.tokens(self._secret(project), salt, rows, base64.b64decode(evaluated))

    def evaluate(self, project: str, elements: str) -> str:
        """The key agency's verb: a holder's elements under the project's key."""
        key = linkage_tokens.agency_key(self._secret(f"{project}.oprf"))
        return base64.b64encode(oprf.evaluate(key, base64.b64decode(elements))).decode()

    def node_secret(self, purpose: str) -> str:
        """A lasting secret of this node for one purpose (release memory); the web process may keep it in memory."""
        return self._secret(f"node.{purpose}").hex()

    def workspace_key(self, project: str) -> str:
        """The key that seals a workspace's files at rest; the web process seals with it and keeps it nowhere."""
        return self._secret(f"{project}.rest").hex()

    def totp_begin(self, name: str) -> str:
        """A new second factor of a person, sealed; it counts for nothing until `totp_keep`."""
        return self._sealed(totp.new(), f"totp-new:{name}")

    def totp_show(self, name: str, box: str, issuer: str) -> str:
        """The address that an authenticator app reads: of a factor that was begun, never of one that is kept."""
        return totp.address(self._opened(box, f"totp-new:{name}"), name, issuer)

    def totp_keep(self, name: str, box: str, code: str, now: float) -> dict:
        """{box, step} of the factor once a first code is right; empty when it is wrong."""
        secret = self._opened(box, f"totp-new:{name}")
        step = totp.step(secret, code, now, 0)
        return {"box": self._sealed(secret, f"totp:{name}"), "step": step} if step else {}

    def totp_check(self, name: str, box: str, code: str, now: float, after: int) -> int:
        """The time step of a right code that is later than `after`, else 0. The secret stays here."""
        return totp.step(self._opened(box, f"totp:{name}"), code, now, after)

    def _sealed(self, text: str, label: str) -> str:
        return base64.b64encode(self._store.seal(text.encode(), label)).decode()

    def _opened(self, box: str, label: str) -> str:
        return self._store.open(base64.b64decode(box), label).decode()

    def destroy(self, project: str) -> None:
        with self._lock:
            self._store.destroy(f"{project}.rest")
            self._store.destroy(project)
            self._store.destroy(f"{project}.link")
            self._store.destroy(f"{project}.oprf")


def _typ(content: bytes) -> str:
    """The typ that a JWS signing input names in its header; empty for anything else."""
    head, dot, _body = content.partition(b".")
    try:
        return str(json.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4)))["typ"]) if dot else ""
    except (ValueError, KeyError, TypeError):
        return ""


def _key(jwk: dict):
    from joserfc.jwk import OKPKey

    return OKPKey.import_key(jwk)


def _peer_uid(connection) -> int:
    credentials = connection.getsockopt(1, 17, struct.calcsize("3i"))  # SOL_SOCKET, SO_PEERCRED
    return struct.unpack("3i", credentials)[1]


class _Handler(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        if _peer_uid(self.connection) not in self.server.users:
            return
        while (line := self.rfile.readline(MAX_REQUEST)).endswith(b"\n"):
            self.wfile.write(json.dumps(self._answer(line)).encode() + b"\n")

    def _answer(self, line: bytes) -> dict:
        try:
            request = json.loads(line)
            verb: Callable | None = (
                None if request["verb"].startswith("_") else getattr(self.server.verbs, request["verb"], None)
            )
            if verb is None:
                return {"error": {"code": "no-verb", "message": "no such verb"}}
            return {"result": verb(**request.get("arguments", {}))}
        except Problem as problem:
            return {"error": problem.as_data()}
        except OSError as error:  # a full disk, say: nothing was refused
            return {"error": {"code": "machine", "message": type(error).__name__}}
        except Exception as error:  # the text could carry key material: only its kind goes out
            log.warning("verb failed: %s", type(error).__name__)
            return {"error": {"code": "keeper", "message": type(error).__name__}}


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    verbs: Verbs
    users: set[int]  # who may ask


def serve(folder: Path, passphrase: bytes, *, apart: bool = False) -> None:
    """Serve the keys in FOLDER/keys on the site's socket.

    As a child of the site: until standard input closes, because its parent is gone. Apart, as a service of its own
    user: until SIGTERM; then the web process's user (`serves` in site.toml) is served too.
    """
    _close_to_others()
    here = read(folder)
    place = here.socket.parent
    held = fitness.lock(place, "keeper.lock", seconds=10)  # one that a killed site left behind ends by itself soon
    store = Keystore(folder / "keys", passphrase)
    os.chdir(place)  # a relative path: Unix socket names are limited to 107 bytes
    Path(here.socket.name).unlink(missing_ok=True)
    old = os.umask(0o117 if apart else 0o177)
    server = _Server(here.socket.name, _Handler)
    os.umask(old)
    server.users = {0, os.getuid(), *([_user(here.keeper["serves"])] if apart and "serves" in here.keeper else [])}
    server.verbs = Verbs(store, notices.Trust(here.roots, here.threshold, here.ministry, here.demo))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if apart:
        _until_stopped()
    else:
        print("ready", flush=True)
        sys.stdin.buffer.read()
    server.shutdown()
    held.close()


def _user(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise Problem(
            "no-user", N_("There is no user {name} on this machine."), name=name, where="site.toml: keeper.serves"
        ) from None


def _until_stopped() -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    _notify("READY=1")
    stopped.wait()


def _notify(state: str) -> None:
    """Tell systemd (sd_notify(3)), where it is systemd that started this."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
            out.send(state.encode())


def _close_to_others() -> None:
    """No core dump, and no debugger of the same user reads the opened keys out of memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
