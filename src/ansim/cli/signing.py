"""Signing and verifying outside every site: `ansim key new`, `ansim sign`, `ansim verify`.

A key file holds an Ed25519 key: its public half in clear, the private JWK wrapped by a passphrase as an encrypted JWK
(RFC 7517, section 7 and appendix C: PBES2-HS512+A256KW, 300 000 rounds, A256GCM), so any JOSE tool can read it.
    {"ansim": "key/1", "kid", "public": {JWK}, "wrapped": "<compact JWE>"}
What is signed is the document's canonical form; a file changed in its blanks only is the same document.
"""

import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from rich.console import Console
from rich.markup import escape
from rich.pretty import Pretty

from ansim import documents
from ansim.errors import N_, Problem
from ansim.governance.ledger import verify as ledger_verify
from ansim.governance.papers.certificate import grouped
from ansim.sites.doctor import too_open, weakness
from ansim.sites.exchange import notices, signed
from ansim.sites.keeper.keystore import new_key, public, signing_key, write_private

WRAP = ["PBES2-HS512+A256KW", "A256GCM"]
ROUNDS = 300_000
console = Console(soft_wrap=True)
keys = typer.Typer(no_args_is_help=True, help="Key files for signing outside any site.")
KeyFile = Annotated[Path, typer.Option("--key", help="the key file (see `ansim key new`)")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="reads the passphrase from this file instead of asking (or ANSIM_KEY_PASSPHRASE_FILE)"),
]


def make(file: Path, passphrase: bytes) -> dict:
    """A new key file; gives the public JWK. Refuses a weak passphrase and never overwrites."""
    if file.exists():
        raise Problem("key-exists", N_("{file} is there already."), file=str(file))
    if weak := weakness(passphrase):
        raise Problem("weak-passphrase", N_("The passphrase is {why}."), why=weak)
    jwk = new_key("sig")
    head = {
        "alg": WRAP[0],
        "enc": WRAP[1],
        "cty": "jwk+json",
        "p2c": ROUNDS,
        "p2s": signed.b64(secrets.token_bytes(16)),
    }
    wrapped = jwe.encrypt_compact(head, json.dumps(jwk).encode(), OctKey.import_key(passphrase), algorithms=WRAP)
    content = {"ansim": "key/1", "kid": jwk["kid"], "public": public(jwk), "wrapped": wrapped}
    write_private(file, json.dumps(content, indent=1).encode())
    return public(jwk)


def unwrap(file: Path, passphrase: bytes) -> dict:
    """The private JWK of a key file; raises Problem for another file, a loose one, or a wrong passphrase."""
    content = documents.kind(read_json(file), "key/1")
    if too_open(file):
        raise Problem("key-open", N_("Others may read {file}."), file=str(file), remedy=N_("chmod 600 {file}"))
    try:
        opened = jwe.decrypt_compact(content["wrapped"], OctKey.import_key(passphrase), algorithms=WRAP).plaintext
        jwk = json.loads(opened or b"")
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise Problem("wrong-passphrase", N_("The passphrase does not open {file}."), file=str(file)) from error
    if public(jwk) != content.get("public"):
        raise Problem("key-differs", N_("The public key in {file} is not that of its private key."), file=str(file))
    return jwk


def public_keys(files: list[Path], directory: Path | None, site: str, now: datetime) -> list[dict]:
    """Public JWKs from key files, plain JWK files, and one site's valid keys in a directory file."""
    found = []
    for file in files:
        content = read_json(file)
        found.append(public(content.get("public", content)))
        if not found[-1].get("kid"):
            raise Problem("no-kid", N_("{file} is no public key with a kid."), file=str(file))
    if directory:
        content = read_json(directory)
        found += notices.Directory(content.get("document", content)).keys(site, now)
    if not found:
        raise Problem("no-key", N_("Name whose key should fit: --key FILE, or --directory FILE with --site ID."))
    return found


@keys.command("new")
def new(file: Annotated[Path, typer.Argument(help="a new key file")], passphrase_file: PassphraseFile = None) -> None:
    """Make a key file and print the public key, for others to enter into their lists."""
    jwk = make(file, _passphrase(passphrase_file, confirm=True))
    console.print(f"{escape(str(file))} is ready. Public key, fingerprint [bold]{fingerprint(jwk)}[/]:")
    typer.echo(json.dumps(jwk))


def sign(
    file: Annotated[Path, typer.Argument(help="a document (JSON), signed by others or not")],
    key: KeyFile,
    out: Annotated[Path | None, typer.Option(help="where the signed document goes (default: FILE.signed.json)")] = None,
    passphrase_file: PassphraseFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Sign a document with a key file, after showing what is being signed."""
    content = read_json(file)
    whole = set(content) == {"document", "signatures"}
    document: Any = content["document"] if whole else content
    before: list[dict] = content["signatures"] if whole else []
    if not isinstance(document, dict) or not isinstance(document.get("ansim"), str):
        raise Problem("no-kind", N_("{file} is no document: it does not say its kind (ansim)."), file=str(file))
    _show(document)
    holder = documents.kind(read_json(key), "key/1")
    console.print(f"Signed before by {len(before)}, now by the key [bold]{fingerprint(holder['public'])}[/]")
    if not yes:
        typer.confirm("Sign this?", abort=True)
    jwk = unwrap(key, _passphrase(passphrase_file))
    result = signed.sign_document(document, jwk["kid"], signing_key(jwk).sign, before)
    target = out or file.with_suffix(".signed.json")
    target.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
    console.print(f"[green]Signed.[/] {escape(str(target))}")


def verify(
    paths: Annotated[
        list[str], typer.Argument(help="a signed document; or: ledger FOLDER …", metavar="FILE | ledger FOLDER…")
    ],
    key: Annotated[
        list[Path] | None, typer.Option(help="whose signature must be there (key file or public JWK)")
    ] = None,
    directory: Annotated[Path | None, typer.Option(help="the site directory (JSON)")] = None,
    site: Annotated[str, typer.Option(help="the site in the directory whose key must fit")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="for programs (ledger)")] = False,
) -> None:
    """Verify a signed document, or with `ledger` the ledgers in sites' folders."""
    if paths[0] == "ledger":
        if directory is None or len(paths) < 2:
            raise Problem("no-directory", N_("Verifying ledgers needs --directory FILE and at least one folder."))
        arguments = [*paths[1:], "--directory", str(directory), *(["--json"] if as_json else [])]
        raise typer.Exit(ledger_verify.main(arguments))
    known = public_keys(key or [], directory, site, datetime.now(UTC))
    for path in paths:
        content = read_json(Path(path))
        fitting = signed.signers(content, known)
        missing = [each for each in known if each["kid"] not in fitting] if key else [] if fitting else known
        if missing:
            names = ", ".join(fingerprint(each) for each in missing)
            raise Problem("unsigned", N_("Not signed by the key {names}."), where=path, names=names)
        _show(content["document"])
        for each in known:
            if each["kid"] in fitting:
                console.print(f"[green]Signed[/] by the key [bold]{fingerprint(each)}[/]")


def fingerprint(jwk: dict) -> str:
    """SHA-256 over the key's RFC 7638 form, in groups of four digits, as people compare it."""
    return grouped(documents.digest({name: jwk[name] for name in ("crv", "kty", "x")}))


def _show(document: dict) -> None:
    """The whole of it: what is left out of sight would be signed unseen. Control characters are shown escaped."""
    console.print(f"Document [bold]{escape(str(document['ansim']))}[/]")
    console.print(f"SHA-256  [bold]{grouped(documents.digest(document))}[/]")
    console.print(Pretty(document, expand_all=True))


def read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Problem(
            "unreadable", N_("The file cannot be read as JSON: {detail}."), where=str(file), detail=str(error)
        ) from error
    if not isinstance(content, dict):
        raise Problem("unreadable", N_("The file holds no JSON object."), where=str(file))
    return content


def _passphrase(file: Path | None, *, confirm: bool = False) -> bytes:
    name = file or os.environ.get("ANSIM_KEY_PASSPHRASE_FILE")
    if name:
        return Path(name).read_bytes().strip()
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm)).encode()
