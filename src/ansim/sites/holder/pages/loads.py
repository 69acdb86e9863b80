"""The loads: versions of the data, what was refused and why; and the lists on which patients' words are kept."""

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.data.cdm import versions as store
from ansim.sites import people, takes
from ansim.sites.holder import patients, source
from ansim.sites.holder.patient_files import keys_of
from ansim.sites.pages import Done, Empty, FormPart, Notice, Page, Section, act, given, needed, page
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Answer, Code, Column, Table, Tag
from ansim.sites.wording import lines, yes

READERS = ("steward", "officer", "auditor")
NAVIGATION: list[tuple] = [(41, _("Loads and versions"), "/loads/", set(READERS), None)]
SHOWN = 50
LISTS = {"objection": _("Objection"), "withdrawal": _("Withdrawal"), "consent": _("Consent")}


class ListForm(Form):
    kind = forms.ChoiceField(
        label=_("List"),
        choices=[
            ("objection", _("Objection: against any use for research")),
            ("withdrawal", _("Withdrawal: of one project, or of all")),
            ("consent", _("Consent: the only patients whom a project may use")),
        ],
    )
    project = forms.CharField(
        label=_("Agreement"), required=False, help_text=_("For a withdrawal or a consent: the agreement's id.")
    )
    keys = forms.CharField(
        label=_("Patient keys, one a line"),
        required=False,
        help_text=_("As they stand in person_source_value."),
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    file = forms.FileField(
        label=_("Or a list as a file"),
        required=False,
        help_text=_("CSV or text with one column, or with a column person_source_value; at most 20 MB."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt"}),
    )
    remove = forms.BooleanField(label=_("Take these keys off the list"), required=False)


@page(*READERS)
def overview(request: HttpRequest) -> Page:
    known, used = store.versions(source.path()), store.in_use(source.path())
    sections = [_versions(known, used)]
    if used:
        sections += [_sources(used), _refused(used)]
    sections.append(_lists())
    if "steward" in people.roles(request.user):
        text = _(
            "What is listed holds from the next count, round or extract on. An extract that was made before is stale."
        )
        form = FormPart(ListForm(), "/loads/patients/", _("Change the list"), text=text)
        sections.append(Section(_("Change a list"), [form]))
    number = used.number if used else None
    return Page(
        _("Loads and versions"),
        sections,
        {
            "in_use": number,
            "versions": [{"number": each.number, "sha256": each.digest, "at": each.facts["at"]} for each in known],
            "refused": used.facts["account"]["reasons"] if used else [],
            "lists": [
                {"kind": each["kind"], "project": each["project"], "listed": len(each["since"])}
                for each in patients.lists()
            ],
        },
        answer=_answer(used),
        lead=_("Each load makes a version that never changes. Every answer names the version that it was made from."),
    )


def _answer(used: store.Version | None) -> Answer:
    if used is None:
        return Answer(Tag(_("Not from a load"), "neutral"), text=_("The data were put here by other means."))
    words = gettext("Version {number} is in use").format(number=used.number)
    return Answer(Tag(words, "success"), text="")


def _versions(known: list[store.Version], used: store.Version | None) -> Section:
    if not known:
        text = _("Load the hospital's data with the command: ansim load SOURCE --into cdm.duckdb")
        return Section(_("Versions"), [Empty(_("No load yet"), text)])
    names = (_("Rows in"), _("Loaded"), _("Refused rows"))
    table = Table(
        _("Versions"),
        [Column(_("Version"), number=True), Column(_("State")), Column(_("Made")), Column(_("SHA-256 of the data"))]
        + [Column(name, number=True) for name in names],
        [
            [
                each.number,
                _state(each, used),
                datetime.fromisoformat(each.facts["at"]),
                Code(each.digest, 12),
                *(each.facts["account"][name] for name in ("rows_in", "loaded", "refused")),
            ]
            for each in reversed(known)
        ],
        hide_caption=True,
    )
    items: list[Any] = [table]
    if len(known) > 1:
        items.append(_changes(known[-2], known[-1]))
    return Section(_("Versions"), items)


def _state(each: store.Version, used: store.Version | None) -> Tag:
    if used and each.number == used.number:
        return Tag(_("In use"), "success")
    return Tag(_("Kept"), "neutral") if each.kept else Tag(_("Rows deleted"), "neutral")


def _changes(old: store.Version, new: store.Version) -> Table | Notice:
    """By the counts that each version keeps of itself; `ansim load diff` looks at the rows."""
    before, after = old.facts["tables"], new.facts["tables"]
    rows = [
        [Code(name), before.get(name, {}).get("rows", 0), after.get(name, {}).get("rows", 0)]
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    if not rows:
        return Notice(_("The last two versions hold the same rows."))
    caption = gettext("Tables that changed from version {old} to {new}").format(old=old.number, new=new.number)
    return Table(
        caption, [Column(_("Table")), Column(_("Rows before"), number=True), Column(_("Rows now"), number=True)], rows
    )


def _sources(used: store.Version) -> Section:
    loads = used.facts["account"]["loads"]
    table = Table(
        _("Sources"),
        [Column(_("File")), Column(_("Table"))]
        + [Column(name, number=True) for name in (_("Rows in"), _("Loaded"), _("Refused rows"))],
        [
            [
                each["file"],
                Code(each["table"]) if each["table"] else "-",
                each["rows_in"],
                each["loaded"],
                each["refused"],
            ]
            for each in loads[:SHOWN]
        ],
        note=_("Rows in are rows loaded and rows refused: none is dropped silently."),
        hide_caption=True,
    )
    return Section(_("What it was made from"), [table])


def _refused(used: store.Version) -> Section:
    reasons = used.facts["account"]["reasons"]
    if not reasons:
        return Section(_("Refused rows"), [Notice(_("No row was refused."), "success")])
    table = Table(
        _("Refused rows"),
        [
            Column(_("Reason")),
            Column(_("Field")),
            Column(_("File")),
            Column(_("Rows"), number=True),
            Column(_("First line"), number=True),
        ],
        [
            [
                gettext(each["reason"]),
                Code(each["field"]) if each["field"] else "-",
                each["file"],
                each["rows"],
                each["first_line"],
            ]
            for each in reasons[:SHOWN]
        ],
        note=_("Each refused row is kept with its file, line and value in the version's trace, inside the hospital."),
        hide_caption=True,
    )
    return Section(_("Refused rows"), [table])


def _code(text: str) -> Any:
    return Code(text) if text else "-"


def _lists() -> Section:
    held = patients.lists()
    if not held:
        text = _("Objections, withdrawals and consents of patients will stand here, counted.")
        return Section(_("Patients' lists"), [Empty(_("No list yet"), text)])
    table = Table(
        _("Patients' lists"),
        [
            Column(_("List")),
            Column(_("Agreement")),
            Column(_("Patients"), number=True),
            Column(_("Known in the data"), number=True),
            Column(_("Changed")),
        ],
        [
            [
                LISTS[each["kind"]],
                Code(each["project"]) if each["project"] else _("All"),
                len(each["since"]),
                _known(list(each["since"])),
                datetime.fromisoformat(each["at"]),
            ]
            for each in held
        ],
        note=_("A key that is not known in the data holds as soon as it is."),
        hide_caption=True,
    )
    return Section(_("Patients' lists"), [table])


def _known(keys: list[str]) -> int | None:
    if not source.path().is_file():
        return None
    with source.connect() as con:
        query = "SELECT count(*) FROM person WHERE person_source_value IN (SELECT unnest(?::VARCHAR[]))"
        return con.execute(query, [keys]).fetchall()[0][0]


@act(
    "steward",
    takes={
        "kind": takes.text(),
        "project": takes.text(required=False),
        "keys": takes.texts(required=False),
        "remove": takes.yes_or_no(),
    },
)
def change(request: HttpRequest) -> Done:
    """{kind, project, keys: text or list, file, remove}: keys, or a file of them, or both."""
    values = given(request)
    (kind,) = needed(values, "kind")
    keys = lines(values.get("keys") or "")
    if (file := request.FILES.get("file")) is not None:
        keys += keys_of(file.read(), str(file.name))
    found = patients.change(
        kind,
        str(values.get("project") or "").strip(),
        keys,
        remove=yes(values.get("remove")),
        person=request.user.get_username(),
    )
    words = gettext("{added} added, {removed} taken off; {listed} on the list.").format(**found)
    return Done("/loads/", words, found)


urlpatterns = [path("loads/", overview), path("loads/patients/", change)]
