"""How a rule's paths become SQL over one source: columns of a table, or FHIRPath below a resource."""

from dataclasses import dataclass, field
from typing import Protocol

from ansim.data.cdm import literal, quoted
from ansim.data.ingest import fhirpath
from ansim.data.ingest.casts import text
from ansim.data.ingest.fhirpath import Shape
from ansim.errors import N_, Problem


class Reader(Protocol):
    """SQL over the relation `item` (line, and what the reader needs)."""

    def value(self, path: str) -> str:
        """The trimmed text at the path, null when empty."""
        ...

    def codings(self, path: str) -> tuple[str, str]:
        """The codings of a FHIR CodeableConcept (see `codes.CODINGS`), and its text."""
        ...

    def items(self, path: str) -> "tuple[str, Reader]":
        """A list to go through, and the reader of its elements, which stand in the column `part`."""
        ...


@dataclass
class TableReader:
    columns: dict[str, str]  # by lower-case name
    where: str = ""

    def value(self, path: str) -> str:
        name = self.columns.get(path.strip().lower())
        if name is None:
            raise Problem(
                "no-column",
                N_("The source has no column {name}."),
                where=self.where,
                remedy=N_("It has: {names}."),
                name=path,
                names=", ".join(self.columns.values()),
            )
        return text(quoted(name))

    def codings(self, path: str) -> tuple[str, str]:
        return "NULL", self.value(path)

    def items(self, path: str) -> "tuple[str, Reader]":
        raise Problem("bad-mapping", N_("Only FHIR resources hold lists to go through."), where=path)


@dataclass
class FhirReader:
    shape: Shape = field(default_factory=Shape)
    root: str = "r"
    whole: tuple[Shape, str] | None = None

    def value(self, path: str) -> str:
        return text(fhirpath.value(path, self.shape, self.root, self.whole))

    def codings(self, path: str) -> tuple[str, str]:
        node, sql = fhirpath.node_of(path, self.shape, self.root, self.whole)
        node.mark(False, path)
        coding = node.child("coding").mark(True, path)
        for name in ("code", "display", "system"):
            coding.child(name).mark(False, path)
        node.child("text").mark(False, path)
        whole = f"list_transform(list_filter({sql}.coding, lambda c: c.code IS NOT NULL), lambda c: "
        return whole + "{'code': c.code, 'display': c.display, 'system': c.system})", text(f"{sql}.text")

    def items(self, path: str) -> "tuple[str, Reader]":
        node, sql = fhirpath.elements(path, self.shape, self.root)
        return sql, FhirReader(node, "part", (self.shape, "r"))


def coding_of(code: str, system: str, display: str) -> str:
    """One coding, or null without a code."""
    return f"CASE WHEN {code} IS NOT NULL THEN [{{'code': {code}, 'display': {display}, 'system': {system}}}] END"


def system_of(spec: dict, reader: Reader) -> str:
    if "vocabulary" in spec:
        return literal(spec["vocabulary"])
    return reader.value(spec["system"]) if "system" in spec else "''"
