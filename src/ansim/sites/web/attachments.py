"""Files that people attach: of a few kinds, told by their content and not by their name, up to a limit of size."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ansim.errors import Problem

MEGABYTES = 20
# How the kinds begin: PDF (ISO 32000), ZIP (of DOCX and HWPX), OLE (of HWP 5). Plain text is told by its UTF-8.
BEGINNINGS = {b"%PDF-": (".pdf",), b"PK\x03\x04": (".docx", ".hwpx"), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": (".hwp",)}
TEXT = (".txt", ".md")
ENDINGS = (*(ending for endings in BEGINNINGS.values() for ending in endings), *TEXT)


class Attachment(forms.FileField):
    """A document. Its cleaned value is the uploaded file, read from its beginning."""

    default_error_messages = {  # noqa: RUF012
        "large": _("The file is larger than %(most)s MB. Make it smaller, for example by leaving out pictures."),
        "kind": _("The file is not a %(ending)s document by its content. Save it anew and choose it again."),
        "ending": _("Files of this kind are not taken. Choose one of these: %(endings)s."),
    }
    widget = forms.ClearableFileInput(attrs={"accept": ",".join(ENDINGS)})

    def __init__(self, **more: Any) -> None:
        more.setdefault("help_text", _("PDF, DOCX, HWP, HWPX or plain text, at most 20 MB."))
        more.setdefault("max_length", 100)
        super().__init__(**more)

    def clean(self, data: Any, initial: Any = None) -> Any:
        file = super().clean(data, initial)
        if isinstance(file, UploadedFile):
            if (file.size or 0) > MEGABYTES * 1024 * 1024:
                raise forms.ValidationError(self.error_messages["large"], "large", {"most": MEGABYTES})
            self._look(file)
        return file

    def _look(self, file: UploadedFile) -> None:
        ending = "." + (file.name or "").lower().rpartition(".")[2]
        if ending not in ENDINGS:
            raise forms.ValidationError(self.error_messages["ending"], "ending", {"endings": ", ".join(ENDINGS)})
        if not _is(file, ending):
            raise forms.ValidationError(self.error_messages["kind"], "kind", {"ending": ending[1:].upper()})


def _is(file: UploadedFile, ending: str) -> bool:
    """Whether the content is of the kind that the name's ending says."""
    content = file.read() if ending in TEXT else file.read(16)
    file.seek(0)
    if ending not in TEXT:
        return any(content.startswith(begins) and ending in endings for begins, endings in BEGINNINGS.items())
    try:
        return "\x00" not in content.decode()
    except UnicodeDecodeError:
        return False


def attached(request: HttpRequest, name: str) -> bytes | None:
    """The bytes of the document that came under this name, None when there is none. Raises Problem."""
    try:
        file = Attachment(required=False).clean(request.FILES.get(name))
    except forms.ValidationError as error:
        words = " ".join(map(str, error.messages))
        raise Problem("bad-file", "{words}", where=name, words=words) from error
    return file.read() if file else None
