"""Files that do not leave, looked into far enough to say why: archives, pickles, trained models, notebooks' outputs.

Nothing is unpacked to disk, loaded or run. Reading is bounded: a bomb is counted up to its limit and no further.
"""

import io
import json
import pickletools
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from ansim.errors import N_
from ansim.privacy.disclosure.files_findings import FileFinding

MODELS = {
    "pt", "pth", "onnx", "h5", "keras", "safetensors", "joblib", "sav", "rds", "rda", "rdata", "pmml", "bst", "model",
    "gguf", "ckpt", "pb", "npz", "npy", "mlmodel", "cbm",
}  # fmt: skip
_LEARNT = {"learner", "tree_info", "oblivious_trees", "support_vectors", "dual_coef", "state_dict", "prototypes"}
_RATIO, _MOST = 100, 64 * 1024 * 1024  # times its size, and bytes, at which an archive counts as a bomb
_MOST_OPCODES = 200_000


def check_packed(kind: str, suffix: str, content: bytes) -> Iterator[FileFinding]:
    """kind: by content (`files.sniff`). suffix: of the name. For files that are refused by their type anyway."""
    if suffix in MODELS or kind in ("numpy", "r-data"):
        yield model()
    if kind == "pickle" or pickled(content):
        yield _pickle(content)
    elif kind == "zip":
        yield from _zip(content)
    elif kind in ("gzip", "tar"):
        yield from _gzip(content) if kind == "gzip" else _tar(content)
    elif kind == "jpeg" and (b"Exif\0" in content[:65536] or b"http://ns.adobe.com/xap" in content[:65536]):
        yield FileFinding(
            "image-metadata",
            "Exif",
            N_("The picture carries data about itself: device, place, time."),
            N_("Save it as PNG without metadata."),
        )


def model() -> FileFinding:
    return FileFinding(
        "model",
        "",
        N_("A trained model can hold the records that it was trained on."),
        N_("Release coefficients or measures of its quality as a table."),
    )


def is_model(document: Any) -> bool:
    """Whether a JSON document is a trained model, by the field names of common libraries."""
    return isinstance(document, dict) and bool(_LEARNT & set(document))


def pickled(content: bytes) -> bool:
    """Whether bytes are a pickle of any protocol, text ones too; nothing is loaded."""
    if not content.endswith(b"."):
        return False
    count, end = 0, -1
    try:
        for _op, _argument, place in pickletools.genops(content):
            count, end = count + 1, place or 0
            if count > _MOST_OPCODES:
                return True
        return count >= 5 and end == len(content) - 1
    except (ValueError, IndexError, UnicodeDecodeError, OverflowError, KeyError):
        return False


def _pickle(content: bytes) -> FileFinding:
    """What loading it would import."""
    calls, texts = [], [""]
    try:
        for number, (op, argument, _place) in enumerate(pickletools.genops(content)):
            if isinstance(argument, str):
                texts.append(argument)
            if op.name == "GLOBAL":
                calls.append(str(argument).replace(" ", "."))
            elif op.name == "STACK_GLOBAL":
                calls.append(".".join(texts[-2:]))
            if number > _MOST_OPCODES:
                break
    except (ValueError, IndexError, UnicodeDecodeError, OverflowError, KeyError):
        pass  # damaged: it is refused all the same
    what = ", ".join(dict.fromkeys(calls))[:120] or "data"
    return FileFinding(
        "pickle",
        "",
        N_("A pickle runs code where it is opened ({what})."),
        N_("Save tables as CSV and numbers as JSON."),
        {"what": what},
    )


def _zip(content: bytes) -> Iterator[FileFinding]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, OSError, EOFError):
        yield _archive("damaged")
        return
    entries = archive.infolist()
    yield _archive(", ".join(entry.filename for entry in entries[:5]))
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > max(_MOST, _RATIO * len(content)) or any(
        entry.file_size > _RATIO * max(1, entry.compress_size) for entry in entries
    ):
        yield _bomb(unpacked)
    if archive.comment or any(entry.comment or len(entry.extra) > 36 for entry in entries):
        yield FileFinding(
            "archive-comment", "", N_("The archive carries a comment or fields of its own."), N_("Send plain files.")
        )


def _gzip(content: bytes) -> Iterator[FileFinding]:
    stream, size, rest = zlib.decompressobj(31), 0, content
    try:
        while rest and size <= _MOST:
            size += len(stream.decompress(rest, 1 << 20))
            rest = stream.unconsumed_tail
    except zlib.error:
        pass
    yield _archive("gzip")
    if size > _RATIO * len(content) or size > _MOST:
        yield _bomb(size)


def _tar(content: bytes) -> Iterator[FileFinding]:
    names: list[str] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                names.append(member.name if member.isreg() or member.isdir() else f"{member.name} → {member.linkname}")
                if len(names) > 1000:
                    break
    except (tarfile.TarError, ValueError, OSError, EOFError):
        names.append("damaged")
    yield _archive(", ".join(names[:5]))


def _archive(what: str) -> FileFinding:
    return FileFinding(
        "archive",
        "",
        N_("An archive is not looked through ({what})."),
        N_("Unpack it and put the files in singly."),
        {"what": what[:200]},
    )


def _bomb(size: int) -> FileFinding:
    return FileFinding(
        "archive-bomb",
        "",
        N_("Unpacked it would have {bytes} bytes or more."),
        N_("Unpack it and put the files in singly."),
        {"bytes": size},
    )


def check_notebook(text: str) -> Iterator[FileFinding]:
    """A Jupyter notebook (nbformat 4): code and text may go to people, what cells showed may not."""
    try:
        document = json.loads(text)
        cells = document["cells"]
        listed = [cell for cell in cells if isinstance(cell, dict)]
    except (ValueError, RecursionError, KeyError, TypeError):
        yield FileFinding(
            "malformed", "", N_("This is not a notebook that can be read."), N_("Save it again with Jupyter.")
        )
        return
    for number, cell in enumerate(listed, start=1):
        if cell.get("outputs"):
            yield _left_in("notebook-output", f"cell {number}", N_("The cell still shows what it computed."))
        if cell.get("attachments"):
            yield _left_in("notebook-attachment", f"cell {number}", N_("The cell carries attached files."))
        if len(json.dumps(cell.get("metadata") or {})) > 500:
            yield _left_in("notebook-metadata", f"cell {number}", N_("The cell carries more than its text."))
    metadata = document.get("metadata") or {}
    if len(json.dumps(metadata)) > 4000 or (isinstance(metadata, dict) and "widgets" in metadata):
        yield _left_in("notebook-metadata", "metadata", N_("The notebook carries the state of widgets or other data."))


def _left_in(rule: str, place: str, text: str) -> FileFinding:
    return FileFinding(
        rule, place, text, N_("Clear all outputs and attachments, or ask for results as files of their own.")
    )
