"""What the page of an output request shows of its files: findings, the protected table, the file, what left before."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.sites.centre import agreements, outputs, releases
from ansim.sites.centre.pages import common
from ansim.sites.pages import Empty, Notice, Text
from ansim.sites.web.parts import Action, Code, Column, Fact, Link, Suppressed, Table, Tag

CRITERIA = {
    "purpose-related": _("Related to the purpose"),
    "nobody-identifiable": _("Nobody is identifiable"),
    "safety-plan": _("Safety plan"),
}
LEVELS = {
    "refuse": Tag(_("Cannot leave"), "danger"),
    "look": Tag(_("To be looked at"), "warning"),
    "note": Tag(_("In order"), "success"),
}
PREVIEW, ROWS, MOST = 4_000, 40, 60  # characters, rows and findings that a page shows


def told(finding: dict, inside: bool) -> dict:
    """A finding for a page; why a cell is hidden is for the checkers only, since it tells what the marker hides."""
    told = {name: value for name, value in finding.items() if inside or name != "rules"}
    if text := finding.get("text"):  # kept as a template, so that each reader has it in the own language
        words = [gettext(part).format(**finding.get("facts", {})) for part in (text, finding.get("remedy", "")) if part]
        told["message"] = " ".join(words)
    return told


def file(space: dict, name: str, file: dict, findings: list[dict], held: dict, inside: bool) -> list[Any]:
    mine = [finding for finding in findings if finding["file"] == file["name"]]
    parts: list[Any] = [[Fact(_("Bytes"), file["size"]), Fact(_("SHA-256"), Code(file["sha256"], 24))]]
    if mine:
        parts.append(found(file["name"], mine, inside))
    report = held.get("reports", {}).get(file["name"], {})
    if inside and report.get("protected"):
        parts.append(protected(report))
    if inside and space["status"] != "closed":
        parts += preview(name, file["name"])
    return parts


def found(file: str, mine: list[dict], inside: bool) -> Table:
    """The machine's findings, what cannot leave first."""
    columns = [Column(_("Finding")), Column(_("Cell or place")), Column(_("Rule")), Column(_("What"))]
    if inside:
        columns.append(Column(_("Why it is hidden")))
    ordered = sorted(mine, key=lambda each: list(LEVELS).index(each["level"]))
    rows = [
        [LEVELS[each["level"]], each.get("place") or "–", Code(each["code"]), each["message"]]
        + ([", ".join(each.get("rules", [])) or "–"] if inside else [])
        for each in ordered[:MOST]
    ]
    more = len(mine) - len(rows)
    note = _("{count} more findings of the same file are not shown.").format(count=more) if more else ""
    return Table(_("What the machine found in {file}").format(file=file), columns, rows, note=note)


def protected(report: dict) -> Table:
    released = report["protected"]
    least = int(next((cell["text"][1:] for cell in released["cells"] if cell["text"].startswith("<")), 10))
    columns = [Column(dimension) for dimension in released["dimensions"]] + [
        Column(_("Protected"), number=True),
        Column(_("Rules")),
    ]
    rows = [
        [
            *("–" if part is None else str(part) for part in cell["key"]),
            Suppressed(least) if cell["text"].startswith("<") else cell["text"],
            ", ".join(cell["rules"]) or "–",
        ]
        for cell in released["cells"][:400]
    ]
    return Table(
        _("{rows} by the centre, as it may leave").format(rows=" × ".join(released["dimensions"]) or _("Total")),
        columns,
        rows,
        note=_("Made again by this centre from the people; memory of earlier releases included."),
    )


def preview(name: str, file: str) -> list[Any]:
    """The beginning of a text file; a picture or page only as a download that the browser does not run."""
    body, kind = releases.file_of(name, file), file.rsplit(".", 1)[-1].lower()
    link = Action(_("Download {file}").format(file=file), f"/outputs/{name}/files/{file}", "secondary")
    if kind not in {"csv", "tsv", "json", "txt", "md"}:
        return [link]
    text = body[:PREVIEW].decode("utf-8", "replace")
    if kind not in {"csv", "tsv"}:
        return [Text(text, pre=True), link]
    rows = [line.split("\t" if kind == "tsv" else ",") for line in text.splitlines()[: ROWS + 1]]
    width = min(12, max((len(row) for row in rows), default=1))
    cells = [[cell[:40] or "–" for cell in [*row, *[""] * width][:width]] for row in rows]
    columns = [Column(cell) for cell in cells[0]] if cells else []
    note = _("The first {rows} rows, as they stand in the file.").format(rows=len(cells) - 1)
    return [Table(_("{file} as it was submitted").format(file=file), columns, cells[1:], note=note), link]


def board(state: Any) -> list[Fact]:
    """Each reviewer's word on the three criteria, once it is given."""
    if not state.linked:
        return []
    facts = [Fact(_("Export reviews in"), f"{len(state.export_views)}/{state.board}")]
    for who, criteria in state.export_views.items():
        for name, entry in criteria.items():
            holds = Tag(_("Holds"), "success") if entry["holds"] else Tag(_("Does not hold"), "danger")
            facts.append(Fact(f"{who}: {CRITERIA.get(name, name)}", holds, note=entry["reason"]))
    return facts


def beside(data: dict, name: str) -> list[Any]:
    """Tables of this request beside earlier releases that show the same rows and columns."""
    parts: list[Any] = []
    threshold = agreements.policy(agreements.terms(data["project"])).threshold
    for one in outputs.beside(data, name, threshold):
        rows = [
            [each.where, each.before, each.now, Tag(_("Differ by few"), "warning") if each.near else "–"]
            for each in one.cells[:ROWS]
        ]
        caption = _("{file} and what was released before ({earlier})").format(file=one.file, earlier=one.release)
        columns = [
            Column(_("Cell")),
            Column(_("Before"), number=True),
            Column(_("Now"), number=True),
            Column(_("Look")),
        ]
        note = _("{count} cells stand in both; those that differ are shown.").format(count=one.common)
        parts.append(Table(caption, columns, rows, note=note) if rows else Notice(f"{caption}: {note}"))
    return parts


def earlier(key: str, name: str) -> Any:
    rows = [
        [
            Link(found.data["purpose"][:60], f"/outputs/{found.key}/"),
            ", ".join(file["name"] for file in found.data["files"]),
            common.when(found.data["at"]),
        ]
        for found in outputs.of(key)
        if found.status == "released" and found.key != name
    ]
    if not rows:
        return Empty(_("None yet"))
    return Table(_("Earlier releases"), [Column(_("For")), Column(_("Files")), Column(_("When"))], rows)
