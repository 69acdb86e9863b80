"""Tables whose cells know the people behind them.

`table/1` is a specification that anyone who holds the frame can re-run (docs/architecture.md). A cell's key has one
entry per dimension (rows, then columns): a category, None for a missing value, or TOTAL for a margin. All margins are
part of the table, because whoever reads a table can add up its cells.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from ansim.documents import digest
from ansim.errors import N_, Problem

TOTAL = "*"  # key entry of a margin; a category of this name is refused
MAX_DIMENSIONS = 4
Key = tuple[Any, ...]
Coder = Callable[[pa.Array], np.ndarray]

QUANTILES = {"min": 0, "p5": 5, "p10": 10, "p25": 25, "median": 50, "p75": 75, "p90": 90, "p95": 95, "max": 100}
VALUED = ("sum", "mean", *QUANTILES)  # measures that rest on people's values beside their number
_MEASURES = ("count", "share", *VALUED)
_FIELDS = {"ansim", "title", "query", "rows", "columns", "measure", "where"}


@dataclass(frozen=True)
class TableSpec:
    """A parsed `table/1`. For a share, `of` is a flag that becomes one more dimension: so both its numerator and its
    denominator are cells of the table, and every rule about cells protects both."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    kind: str = "count"
    of: str | None = None
    where: tuple[tuple[str, Any], ...] = ()
    title: tuple[tuple[str, str], ...] = ()
    query: str = ""

    @property
    def dimensions(self) -> tuple[str, ...]:
        return self.rows + self.columns + ((self.of,) if self.kind == "share" and self.of else ())

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> "TableSpec":
        """Raises Problem naming the field; an unknown field is an error, never ignored."""
        if not isinstance(data, Mapping) or data.get("ansim") != "table/1":
            raise _bad("ansim", N_("This is not a table/1 specification."))
        unknown = sorted(str(name) for name in set(data) - _FIELDS)
        if unknown:
            raise _bad(unknown[0], N_("A table specification has no such field."))
        rows, columns = _names(data, "rows"), _names(data, "columns")
        kind, of = _measure(data.get("measure", {"kind": "count"}))
        where = data.get("where") or {}
        if not isinstance(where, Mapping) or not all(_scalar(value) for value in where.values()):
            raise _bad("where", N_("`where` names variables and one value for each."))
        title = data.get("title") or {}
        if not isinstance(title, Mapping) or not all(isinstance(text, str) for text in title.values()):
            raise _bad("title", N_("A title is a text per language."))
        spec = cls(
            rows,
            columns,
            kind,
            of,
            tuple(sorted(where.items())),
            tuple(sorted(title.items())),
            str(data.get("query", "")),
        )
        if len(set(spec.dimensions)) != len(spec.dimensions) or "person_id" in spec.dimensions:
            raise _bad("rows", N_("Each variable stands once, and never the person identifier."))
        if len(spec.dimensions) > MAX_DIMENSIONS:
            raise _bad("rows", N_("A table has at most four dimensions."))
        return spec

    def as_data(self) -> dict[str, Any]:
        measure = {"kind": self.kind} | ({"of": self.of} if self.of else {})
        return {
            "ansim": "table/1",
            "title": dict(self.title),
            "query": self.query,
            "rows": list(self.rows),
            "columns": list(self.columns),
            "measure": measure,
            "where": dict(self.where),
        }

    @property
    def digest(self) -> str:
        return digest(self.as_data())


@dataclass(frozen=True)
class Cell:
    """One cell: distinct `people`, `rows` of the frame, and for sums and means the exact `total` over `valued` people
    with what the rules need of the contributions (largest absolute ones first, and how many differ)."""

    key: Key
    people: BitMap
    rows: int = 0
    total: float | None = None
    valued: BitMap = field(default_factory=BitMap)
    largest: tuple[float, ...] = ()
    absolute: float = 0.0
    distinct: int | None = None
    contributions: np.ndarray = field(default_factory=lambda: np.empty(0), compare=False)  # in the order of `people`

    @property
    def n(self) -> int:
        return len(self.people)

    @property
    def is_margin(self) -> bool:
        return TOTAL in self.key


@dataclass(frozen=True)
class Table:
    """A tabulated specification: categories per dimension (missing last) and one cell for every key of the cube."""

    spec: TableSpec
    categories: tuple[tuple[Any, ...], ...]
    cells: dict[Key, Cell]

    def counts(self) -> dict[Key, int]:
        return {key: cell.n for key, cell in self.cells.items()}


def tabulate(frame: pa.Table, spec: TableSpec, coder: Coder | None = None) -> Table:
    """Count distinct people (and sum their values) in every cell and margin of `spec`.

    frame: column `person_id` and the variables; several rows a person are allowed and count as one person.
    coder: gives the stable uint32 code of each person id (Memory.codes); local codes when absent.
    Raises Problem for a variable that the frame lacks, a measure that is no number, or too many dimensions.
    """
    _require_columns(frame, spec)
    ids = frame.column("person_id").combine_chunks()
    if ids.null_count:
        raise Problem("person-missing", N_("{rows} rows have no person."), where="person_id", rows=ids.null_count)
    codes = (coder or _local_codes)(ids)
    names = [f"d{index}" for index in range(len(spec.dimensions))]
    columns: dict[str, Any] = {"code": pa.array(codes, pa.uint32())}
    columns |= {name: _category(frame.column(variable)) for name, variable in zip(names, spec.dimensions, strict=True)}
    columns |= {f"w{index}": frame.column(variable) for index, (variable, _) in enumerate(spec.where)}
    if spec.kind in VALUED:
        columns["value"] = frame.column(spec.of).cast(pa.float64())
    try:
        return _assemble(spec, _cube(pa.table(columns), spec, names))
    except duckdb.Error as error:
        raise _bad("where", N_("The variables cannot be compared with these values.")) from error


def cube_keys(categories: tuple[tuple[Any, ...], ...]) -> Iterator[Key]:
    """Every key of the table with all its margins."""
    return product(*[(*values, TOTAL) for values in categories])


def _cube(data: pa.Table, spec: TableSpec, names: list[str]) -> pa.Table:
    """One row per cell: the lists of its people and of their contributions. Contributions are summed per person before
    anything is compared: a person with many rows is one contributor."""
    value = "sum(value)" if "value" in data.column_names else "NULL::DOUBLE"
    dims = "".join(f"{name}, " for name in names)
    grouping = f"grouping_id({', '.join(names)})" if names else "0"
    groups = f"CUBE ({', '.join(names)}), code" if names else "code"
    where = " AND ".join(f"w{index} = ${index + 1}" for index in range(len(spec.where))) or "true"
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("frame", data)
        return connection.sql(
            f"""WITH person AS (SELECT {dims}{grouping} AS grouping, code, count(*) AS n, {value} AS value
                               FROM frame WHERE {where} GROUP BY {groups})
                SELECT {dims}grouping, list(code ORDER BY code) AS people, sum(n)::BIGINT AS n,
                       list(value ORDER BY code) AS contributions
                FROM person GROUP BY ALL""",
            params=[value for _, value in spec.where],
        ).to_arrow_table()


def _assemble(spec: TableSpec, cube: pa.Table) -> Table:
    dimensions = len(spec.dimensions)
    keyed = [_key(row, dimensions) for row in cube.drop_columns(["people", "contributions"]).to_pylist()]
    found = {}
    for index, (key, rows) in enumerate(keyed):
        people = cube["people"][index].values.to_numpy(zero_copy_only=False).astype(np.uint32)
        contributions = cube["contributions"][index].values.to_numpy(zero_copy_only=False)
        found[key] = _cell(spec, key, people, rows, contributions)
    categories = tuple(
        tuple(sorted({key[axis] for key in found if key[axis] != TOTAL}, key=sort_key)) for axis in range(dimensions)
    )
    return Table(spec, categories, {key: found.get(key) or Cell(key, BitMap()) for key in cube_keys(categories)})


def _key(row: dict[str, Any], dimensions: int) -> tuple[Key, int]:
    """grouping_id sets a bit (first dimension highest) where the dimension was summed over."""
    summed = [row["grouping"] >> (dimensions - 1 - axis) & 1 for axis in range(dimensions)]
    if any(row[f"d{axis}"] == TOTAL for axis in range(dimensions)):
        raise Problem("category-reserved", N_("A category may not be named {name}."), where="rows", name=TOTAL)
    return tuple(TOTAL if summed[axis] else row[f"d{axis}"] for axis in range(dimensions)), row["n"]


def _cell(spec: TableSpec, key: Key, people: np.ndarray, rows: int, contributions: np.ndarray) -> Cell:
    if spec.kind not in VALUED:
        return Cell(key, BitMap(people), rows)
    known = np.isfinite(contributions.astype(float))
    values = contributions.astype(float)[known]
    magnitude = np.sort(np.abs(values))[::-1]
    return Cell(
        key,
        BitMap(people),
        rows,
        total=float(values.sum()),
        valued=BitMap(people[known]),
        largest=tuple(float(one) for one in magnitude[:20]),
        absolute=float(magnitude.sum()),
        distinct=len(np.unique(values)),
        contributions=np.where(known, contributions.astype(float), np.nan),
    )


def _category(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Categories are JSON values that compare exactly: whole numbers, true and false, else texts."""
    kind = column.type
    plain = pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_string(kind)
    return column if plain else column.cast(pa.string())


def _local_codes(ids: pa.Array) -> np.ndarray:
    return ids.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.uint32)


def _require_columns(frame: pa.Table, spec: TableSpec) -> None:
    wanted = {"person_id", *spec.dimensions, *(name for name, _ in spec.where)} | ({spec.of} if spec.of else set())
    missing = sorted(wanted - set(frame.column_names))
    if missing:
        raise Problem(
            "variable-missing",
            N_("The data have no variable {name}."),
            where=missing[0],
            remedy=N_("Use the variables of the agreed query."),
            name=missing[0],
        )
    if spec.kind in VALUED:
        kind = frame.schema.field(spec.of).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            raise Problem("measure-type", N_("{name} is not a number."), where=str(spec.of), name=spec.of)


def sort_key(value: Any) -> tuple[bool, str, Any]:
    if value is None:
        return (True, "", 0)
    number = isinstance(value, int | float)
    return (False, "" if number else type(value).__name__, value if number else str(value))


def _names(data: Mapping[str, Any], where: str) -> tuple[str, ...]:
    names = data.get(where) or []
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name for name in names):
        raise _bad(where, N_("This is a list of variable names."))
    return tuple(names)


def _measure(data: Any) -> tuple[str, str | None]:
    if not isinstance(data, Mapping) or data.get("kind") not in _MEASURES or set(data) - {"kind", "of"}:
        raise _bad(
            "measure", N_("A measure is a count, or share, sum, mean, min, max, median, p5 … p95 `of` a variable.")
        )
    of = data.get("of")
    if (data["kind"] == "count") != (of is None) or not (of is None or isinstance(of, str)):
        raise _bad("measure.of", N_("A count is of people; every other measure is of one variable."))
    return data["kind"], of


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _bad(where: str, text: str) -> Problem:
    remedy = N_("See the form of table/1 in the documentation.")
    return Problem("table-spec", text, where=where, remedy=remedy)
