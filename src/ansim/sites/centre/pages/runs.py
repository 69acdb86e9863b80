"""Scripts in a workspace: write one, see what came of it, ask for files to leave."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.sites import people, takes
from ansim.sites.centre import desk, outputs, runs, workspaces
from ansim.sites.centre.pages import common
from ansim.sites.centre.sandbox import languages
from ansim.sites.pages import Done, Empty, FormPart, Notice, Page, Section, Text, act, given, needed, page, page_and_act
from ansim.sites.store import ledger
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Action, Answer, Code, Column, Fact, Link, Table, Tag
from ansim.sites.wording import RUN

EXAMPLE = """import pandas as pd

people = pd.read_parquet("/data/frame.parquet")
print(people.dtypes)
table = people.groupby(["age_band", "sex"], dropna=False).person_id.nunique().rename("n").reset_index()
table.to_csv("/out/table.csv", index=False)
"""


LANGUAGES = {"python": "Python", "r": "R", "sql": "SQL (DuckDB)"}


SCRIPT = {"script": takes.text(), "title": takes.text(required=False), "language": takes.text(required=False)}


class Script(Form):
    title = forms.CharField(label=_("Title"), max_length=200)
    script = forms.CharField(
        label=_("Script"),
        initial=EXAMPLE,
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"}),
        help_text=_("Data are read from /data, results are written to /out. There is no network."),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=[(name, words) for name, words in LANGUAGES.items() if name in languages.available()],
        help_text=_("In SQL each file of /data is a view by its path: frame, or linked/person in double quotes."),
    )


class Ask(Form):
    context = forms.CharField(label=_("What are the files for?"), widget=forms.Textarea(attrs={"rows": 3}))
    files = forms.MultipleChoiceField(label=_("Files"), widget=forms.CheckboxSelectMultiple)
    tables = forms.CharField(
        label=_("Table specifications"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text=_(
            'JSON: {"table.csv": table/1}. A file with a specification is checked by the machine, cell by cell.'
        ),
    )

    def __init__(self, *args: Any, names: list[str] = (), **kwargs: Any):  # type: ignore[assignment]
        super().__init__(*args, **kwargs)
        self.fields["files"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]


@page("researcher", "checker", "room", "auditor")
def listing(request: HttpRequest, key: str) -> Page:
    space, _terms, _member = common.visit(request, key, "runs")
    found = runs.of(key)
    rows = [
        [
            Link(run["title"] or run["id"], f"/workspaces/{key}/runs/{run['id']}/"),
            RUN[run["status"]],
            run["by"],
            common.when(run["asked"]),
        ]
        for run in found
    ]
    table = Table(_("Scripts"), [Column(_("Title")), Column(_("State")), Column(_("By")), Column(_("When"))], rows)
    sections = [Section(_("Scripts"), [table if rows else Empty(_("No scripts yet"))])]
    if "researcher" in people.roles(request.user) and workspaces.readable(space):
        sections.insert(
            0,
            Section(_("New script"), [_data_note(space), FormPart(Script(), f"/workspaces/{key}/runs/", _("Run it"))]),
        )
    data = {"runs": [{"id": run["id"], "status": run["status"], "by": run["by"]} for run in found]}
    return Page(_("Scripts"), sections, data, answer=Answer(common.state_of(space)), trail=common.trail(space))


def _data_note(space: dict) -> Table:
    rows = [
        [f"/data/{name}/", part["people"], ", ".join(f"{table}.parquet" for table in part["tables"])]
        for name, part in space["parts"].items()
        if part["admitted"]
    ]
    note = _("/data/frame.parquet has one row a person with the variables of the agreed query.")
    return Table(
        _("Data that a script sees"),
        [Column(_("Folder")), Column(_("People"), number=True), Column(_("Files"))],
        rows,
        note=note,
    )


@act(
    "researcher",
    takes={"script": takes.text(), "title": takes.text(required=False), "language": takes.text(required=False)},
)
def start(request: HttpRequest, key: str) -> Done:
    _space, _terms, member = common.visit(request, key, "run")
    desk.require(member, key, request.META.get("REMOTE_ADDR", ""))
    values = given(request)
    (script,) = needed(values, "script")
    language = str(values.get("language") or "python")
    name = runs.start(key, member, str(script), str(values.get("title") or ""), language)
    return Done(f"/workspaces/{key}/runs/{name}/", _("The script is on its way into the sandbox."), {"run": name})


@page("researcher", "checker", "room", "auditor")
def detail(request: HttpRequest, key: str, name: str) -> Page:
    space, _terms, _member = common.visit(request, key, "run")
    run = runs.get(key, name)
    reads = people.roles(request.user) & {"researcher", "checker"}
    files = Table(
        _("Files"),
        [Column(_("Name")), Column(_("Bytes"), number=True), Column(_("SHA-256"))],
        [[file["name"], file["size"], Code(file["sha256"], 16)] for file in run["files"]],
    )
    sections = [Section(_("Result"), [files if run["files"] else Empty(_("No files"))])]
    if run["refused"]:
        refused = Table(
            _("Files that were not taken"),
            [Column(_("Name")), Column(_("Reason"))],
            [[each["name"], each["reason"]] for each in run["refused"]],
        )
        sections[0] = Section(_("Result"), [*sections[0].items, refused])
    if "researcher" in people.roles(request.user) and run["files"] and run["status"] == "done":
        form = Ask(names=[file["name"] for file in run["files"]])
        part = FormPart(
            form,
            f"/workspaces/{key}/outputs/",
            _("Ask for release"),
            values={"run": name},
            text=_("Nothing leaves unchecked."),
        )
        sections.append(Section(_("Ask for files to leave"), [part]))
    if reads:
        for heading, text in ((_("Output of the script"), run["stdout"]), (_("Errors"), run["stderr"])):
            if text:
                sections.append(Section(heading, [Text(text, pre=True)]))
        if run["text_truncated"]:
            sections.append(Section("", [Notice(_("The text was cut off at its limit."))]))
    sections.append(
        Section(_("How it was run"), [_isolation(run), Text(ledger.document_bytes(run["script"]).decode(), pre=True)])
    )
    data = {
        part: run[part]
        for part in ("id", "status", "exit_code", "seconds", "files", "refused", "isolation", "by", "parts")
    }
    data |= {"stdout": run["stdout"], "stderr": run["stderr"]} if reads else {}
    again = [Action(_("Reload"), f"/workspaces/{key}/runs/{name}/", "secondary")] if run["status"] == "queued" else []
    return Page(
        run["title"] or name,
        sections,
        data,
        answer=Answer(RUN[run["status"]], actions=again),
        over=_("Script"),
        trail=common.trail(space),
    )


def _isolation(run: dict) -> list[Fact]:
    found = run["isolation"]
    facts = [Fact(_("By"), run["by"]), Fact(_("Asked"), common.when(run["asked"])), Fact(_("Seconds"), run["seconds"])]
    if found:
        level = (
            Tag(_("Sealed room"), "success")
            if found.get("seccomp") and found.get("userns")
            else Tag(_("Weaker isolation"), "danger")
        )
        facts.append(Fact(_("Isolation"), level, note=", ".join(f"{name} {value}" for name, value in found.items())))
    return facts


@act(
    "researcher",
    takes={
        "run": takes.text(),
        "files": takes.texts(),
        "context": takes.text(),
        "tables": takes.document(required=False, texts=True),
        "parts": takes.texts(required=False),
    },
)
def ask(request: HttpRequest, key: str) -> Done:
    """Ask for files of a run to be released."""
    _space, _terms, member = common.visit(request, key, "output")
    values = given(request)
    run, files, context = needed(values, "run", "files", "context")
    tables = takes.opened(values.get("tables") or {}, "tables")
    chosen = [files] if isinstance(files, str) else list(files)
    name = outputs.from_run(key, member, str(run), chosen, str(context), tables, values.get("parts"))
    return Done(
        f"/outputs/{name}/", _("The request is on record; the machine looks first, then two people."), {"id": name}
    )


urlpatterns = [
    path("workspaces/<slug:key>/runs/", page_and_act(listing, start)),
    path("workspaces/<slug:key>/runs/<slug:name>/", detail),
    path("workspaces/<slug:key>/outputs/", ask),
]
