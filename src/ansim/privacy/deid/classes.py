"""Classes of people who look alike: each column as small numbers, packed into one key a person, and counted.

A missing value (NULL, or a float that is not a number) has the code 0 and is a category of its own, so that no row
is ever dropped. Keys are exact: where the codes of all columns do not fit one 63-bit number, the key is made dense
in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ansim.errors import N_, Problem
from ansim.privacy.deid.sql import quote

_ROOM = 1 << 62
_TABLE = 1 << 20
_SPAN = 1 << 16  # whole numbers within this span are their own codes; others are looked up


@dataclass(frozen=True)
class Column:
    """codes: int64, 0 for missing; levels: codes lie in [0, levels); values: the value of code i is values[i - 1].

    Codes of numbers, dates and texts rise with the values; a code need not occur.
    """

    codes: np.ndarray
    levels: int
    values: pa.Array

    @property
    def holes(self) -> bool:
        return bool((self.codes == 0).any())


@dataclass(frozen=True)
class Counted:
    """Distinct keys in rising order, and how often each occurs."""

    keys: np.ndarray
    sizes: np.ndarray


def read(con: duckdb.DuckDBPyConnection, table: str, names: Sequence[str]) -> dict[str, Column]:
    """{name: Column} of a table, or of a query in brackets; Problem where a column is not there."""
    found = con.execute(f"SELECT * FROM {table} LIMIT 0").description
    known = {each[0] for each in found or ()}
    if missing := [name for name in names if name not in known]:
        raise Problem(
            "no-column",
            N_("The table has no column {missing}; it has {known}."),
            where=missing[0],
            missing=", ".join(missing),
            known=", ".join(sorted(known)),
        )
    if not names:
        return {}
    chosen = ", ".join(map(quote, names))
    data = con.sql(f"SELECT {chosen} FROM {table}").to_arrow_table()
    return {name: encode(data.column(name)) for name in names}


def encode(values: pa.ChunkedArray | pa.Array) -> Column:
    """A column as codes; see `Column`."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), None, array)
    if pa.types.is_date32(array.type):
        array = array.cast(pa.int32())
    if pa.types.is_integer(array.type) and (span := _span(array)):
        low, levels = span
        numbers = array.fill_null(low).to_numpy(zero_copy_only=False).astype(np.int64) - (low - 1)
        if array.null_count:
            numbers[array.is_null().to_numpy(zero_copy_only=False)] = 0
        return Column(numbers, levels, pa.array(range(low, low + levels - 1), array.type))
    return _looked_up(array)


def _span(array: pa.Array) -> tuple[int, int] | None:
    """(lowest value, number of codes) of whole numbers that lie close together."""
    ends = pc.min_max(array).as_py()
    low, high = ends["min"], ends["max"]
    if low is None:
        return 0, 1
    return (low, high - low + 2) if high - low < _SPAN else None


def _looked_up(array: pa.Array) -> Column:
    coded = array.dictionary_encode()
    order = pc.sort_indices(coded.dictionary)
    rank = np.empty(len(order) + 1, dtype=np.int64)
    rank[order.to_numpy()] = np.arange(1, len(order) + 1)
    rank[-1] = 0
    place = coded.indices.fill_null(len(order)).to_numpy(zero_copy_only=False)
    return Column(rank[place], len(order) + 1, coded.dictionary.take(order))


def pack(columns: Sequence[Column]) -> tuple[np.ndarray, int]:
    """(keys, room): one int64 a row in [0, room), equal exactly where all codes are equal."""
    if not columns:
        raise Problem("no-quasi-identifiers", N_("Risk needs at least one quasi-identifier."))
    keys, room = columns[0].codes, columns[0].levels
    for column in columns[1:]:
        keys, room = join(keys, room, column.codes, column.levels)
    return keys, room


def join(keys: np.ndarray, room: int, codes: np.ndarray, levels: int) -> tuple[np.ndarray, int]:
    """Keys of pairs: key * levels + code; made dense first where the product would not fit."""
    if room > _ROOM // levels:
        distinct, keys = np.unique(keys, return_inverse=True)
        room = max(len(distinct), 1)
    return keys * levels + codes, room * levels


def count(keys: np.ndarray, room: int) -> Counted:
    """The distinct keys and their sizes: by a table of all possible keys where that is small, by sorting otherwise."""
    if room <= max(_TABLE, 4 * len(keys)):
        sizes = np.bincount(keys, minlength=1)
        found = np.flatnonzero(sizes)
        return Counted(found, sizes[found])
    ordered = np.sort(keys)
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return Counted(ordered[starts], np.diff(np.append(starts, len(ordered))))


def people(keys: np.ndarray, room: int, person: Column | None) -> np.ndarray:
    """One key for each person of each class: a person with several like rows counts once."""
    if person is None:
        return keys
    distinct = None
    if room > _ROOM // person.levels:
        distinct, keys = np.unique(keys, return_inverse=True)
    once = np.unique(keys * person.levels + person.codes) // person.levels
    return once if distinct is None else distinct[once]


def first_rows(keys: np.ndarray) -> np.ndarray:
    """For each distinct key, in rising order, the number of one row that has it."""
    return np.unique(keys, return_index=True)[1]
