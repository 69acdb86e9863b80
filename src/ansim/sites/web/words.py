"""The texts of the platform in Korean: extract, compile, missing. Source texts are English; no GNU gettext is needed.

``python -m ansim.sites.web.words extract`` collects every marked text of src/ansim (``_``, ``gettext``, ``ngettext``,
``pgettext`` and their lazy forms, ``N_`` in the libraries, and the tags of the templates) into the catalogue and keeps
what is translated; ``compile`` writes the .mo that Django reads; ``missing`` lists what has no Korean yet.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]  # src/ansim
LOCALE = ROOT / "sites" / "locale"
PO = LOCALE / "ko" / "LC_MESSAGES" / "django.po"
MO = PO.with_suffix(".mo")

_PLAIN, _PLURAL, _CONTEXT = None, (1, 2), ((1, "c"), 2)
KEYWORDS = {
    **dict.fromkeys(("_", "N_", "gettext", "gettext_lazy", "gettext_noop"), _PLAIN),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), _PLURAL),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), _CONTEXT),
    "npgettext": ((1, "c"), 2, 3),
}
# {name}, {name:,}, %(name)s and %s, but neither {{ nor a per cent sign in a sentence
PLACEHOLDER = re.compile(r"(?<!{){([A-Za-z_][\w.]*)?(?:![rsa])?(?::[^{}]*)?}(?!})|%\((\w+)\)[sd]|%[sd](?!\w)")

Message = tuple[str, int, "str | tuple[str, ...]", str | None]  # file, line, text(s), context


def messages() -> Iterator[Message]:
    """Every marked text under src/ansim, file by file."""
    for path in sorted([*ROOT.rglob("*.py"), *ROOT.rglob("templates/**/*.html"), *ROOT.rglob("templates/**/*.txt")]):
        source = path.read_text(encoding="utf-8")
        if path.suffix != ".py":
            from django.utils.translation.template import templatize

            source = templatize(source, origin=str(path))
        name = path.relative_to(ROOT.parent).as_posix()
        for line, function, text, _comments in extract_python(
            io.BytesIO(source.encode()), KEYWORDS, [], {"encoding": "utf-8"}
        ):
            yield from _as_message(name, line, str(function), text)


def _as_message(name: str, line: int, function: str, text: object) -> Iterator[Message]:
    given = list(text) if isinstance(text, tuple) else [text]
    context = given.pop(0) if "pgettext" in function else None
    wanted = 2 if "ngettext" in function or "npgettext" in function else 1
    texts = given[:wanted]
    if len(texts) == wanted and all(isinstance(one, str) and one for one in texts):
        strings = tuple(str(one) for one in texts)
        yield name, line, strings if wanted == 2 else strings[0], str(context) if context else None


def extracted() -> Catalog:
    """A fresh catalogue of the sources; lines are left out, so that a moved text is no change."""
    catalogue = Catalog(
        locale="ko",
        project="Ansim",
        version="1",
        charset="utf-8",
        header_comment="# Korean texts of Ansim; the source texts are English.",
        last_translator="the Ansim founders",
        msgid_bugs_address="-",
        fuzzy=False,
    )
    for name, _line, text, context in messages():
        catalogue.add(text, locations=[(name, None)], context=context)  # type: ignore[list-item]
    return catalogue


def stored() -> Catalog:
    """The catalogue in the repository."""
    if not PO.exists():
        return Catalog(locale="ko")
    with PO.open("rb") as file:
        return read_po(file, locale="ko")


def extract() -> Catalog:
    """Writes the catalogue anew with every text of the sources, keeping the translations there are."""
    fresh, old = extracted(), stored()
    for message in fresh:
        known = old.get(message.id, context=message.context) if message.id else None  # type: ignore[arg-type]
        if known is not None:
            message.string = known.string
    PO.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    write_po(buffer, fresh, width=120, sort_output=True, omit_header=False)
    # no creation date: the file changes only when texts do
    text = re.sub(r'"(POT-Creation-Date|PO-Revision-Date|Generated-By):[^\n]*\n', "", buffer.getvalue().decode())
    _write(PO, text.encode())
    return fresh


def compile_catalogue() -> None:
    """Writes the .mo that Django's translations read."""
    buffer = io.BytesIO()
    write_mo(buffer, stored())
    _write(MO, buffer.getvalue())


def compile_if_stale() -> None:
    """Compiles when the texts are newer than the .mo; an installation that cannot be written to brings its own .mo."""
    if PO.exists() and (not MO.exists() or MO.stat().st_mtime < PO.stat().st_mtime) and os.access(PO.parent, os.W_OK):
        compile_catalogue()


def missing(catalogue: Catalog, translations: Catalog) -> list[str]:
    """The texts of `catalogue` that `translations` does not say in Korean."""
    lacking = []
    for message in catalogue:
        if not message.id:
            continue
        known = translations.get(message.id, context=message.context)  # type: ignore[arg-type]
        strings = () if known is None else known.string if isinstance(known.string, tuple | list) else (known.string,)
        if not strings or not all(strings):
            lacking.append(message.id if isinstance(message.id, str) else message.id[0])
    return lacking


def placeholders(text: str) -> set[str]:
    """The facts that a text names, such as {count} or %(name)s."""
    return {match.group(1) or match.group(2) or match.group(0) for match in PLACEHOLDER.finditer(text)}


def mismatched(translations: Catalog) -> list[tuple[str, str]]:
    """(English, Korean) pairs that do not name the same facts."""
    pairs = []
    for message in translations:
        if not message.id or not message.string:
            continue
        sources = message.id if isinstance(message.id, tuple | list) else (message.id,)
        strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
        named = placeholders(sources[-1])
        pairs += [(sources[-1], string) for string in strings if string and placeholders(string) != named]
    return pairs


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    partial.replace(path)


def main(arguments: list[str]) -> int:
    match arguments:
        case ["extract"]:
            fresh = extract()
            print(f"{PO}: {len(fresh)} texts, {len(missing(fresh, fresh))} without Korean")
        case ["compile"]:
            compile_catalogue()
            print(MO)
        case ["missing"]:
            lacking = missing(extracted(), stored())
            print("\n".join(lacking))
            return 1 if lacking else 0
        case _:
            print("usage: python -m ansim.sites.web.words extract|compile|missing", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
