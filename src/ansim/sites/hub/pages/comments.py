"""What the patient representative says about an agreement in the public register: for everybody to read.

A comment is an entry of the hub's ledger; it is never changed. The coordinator may answer with an entry of its own, on
behalf of the parties, so that a question does not stand alone.
"""

from datetime import datetime
from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.sites import clock, people, takes
from ansim.sites.pages import Done, Empty, FormPart, Section, Timeline, act, given, needed
from ansim.sites.store import ledger
from ansim.sites.store.models import Record
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Moment

KIND = "comment"
WRITERS = ("representative", "coordinator")
LONGEST = 3000


class CommentForm(Form):
    text = forms.CharField(label=_("Comment"), max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 4}))


def of(key: str) -> list[dict[str, Any]]:
    """[{at, by, role, text}] of an agreement, oldest first."""
    found = Record.objects.filter(kind=KIND, key=key).first()
    return found.data["comments"] if found else []


def section(request: HttpRequest, key: str) -> list[Section]:
    """The comments, and the form for who may write one."""
    moments = [
        Moment(datetime.fromisoformat(each["at"]), each["text"], who=people.ROLES[each["role"]]) for each in of(key)
    ]
    items: list[Any] = [Timeline(moments) if moments else Empty(_("No comments yet"))]
    if people.roles(request.user) & set(WRITERS):
        text = _("Everybody can read it; it cannot be taken back.")
        items.append(FormPart(CommentForm(), f"/agreements/{key}/comment/", _("Publish the comment"), text=text))
    return [Section(_("Comments of the patient representative"), items)]


@act(*WRITERS, takes={"text": takes.text()})
def comment(request: HttpRequest, key: str) -> Done:
    (text,) = needed(given(request), "text")
    if not Record.objects.filter(kind="register", key=f"agreement:{key}").exists():
        raise Problem("no-agreement", N_("There is no such agreement in the register."))
    if len(text) > LONGEST:
        raise Problem("too-long", N_("At most {most} characters."), where="text", most=LONGEST)
    role = next(role for role in WRITERS if role in people.roles(request.user))
    with transaction.atomic():
        entry = {"at": clock.iso(clock.now()), "by": request.user.get_username(), "role": role, "text": text}
        Record.objects.select_for_update().filter(kind=KIND, key=key).first()
        ledger.record(KIND, key, {"comments": [*of(key), entry]}, status="public")
        ledger.note(f"register:agreement:{key}", "register.commented", actor=entry["by"], role=role, text=text)
    return Done(f"/agreements/{key}/", _("Published."), {"id": key})
