"""A CDM without some people: every query is asked as if their rows were not there (objections, withdrawals).

Each personal table that a query reads is replaced by itself without those people, in every subquery and named part;
rows of nobody (no person_id) stay. So a rule about people stands in one place, whatever is asked and by whom.
"""

from collections.abc import Sequence

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from ansim.data.cdm.schema import tables
from ansim.data.engine.protocol import Dialect, Engine, Query, failed


class Without:
    """engine: what is asked. people: their person_id in the engine's own type; they go into the query's text, so this
    is for thousands, not for millions."""

    def __init__(self, engine: Engine, people: Sequence[int | str]):
        self._engine = engine
        self._people = exp.Tuple(expressions=[exp.convert(person) for person in people])
        self._personal = {table.name for table in tables().values() if table.personal} if people else set()

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    def columns(self) -> dict[str, dict[str, str]]:
        return self._engine.columns()

    def rows(self, query: Query) -> list[tuple]:
        return self._engine.rows(self._narrowed(query))

    def table(self, query: Query) -> pa.Table:
        return self._engine.table(self._narrowed(query))

    def cancel(self) -> None:
        self._engine.cancel()

    def close(self) -> None:
        self._engine.close()

    def _narrowed(self, query: Query) -> Query:
        if not self._personal:
            return query
        try:
            tree = sqlglot.parse_one(query, read="duckdb") if isinstance(query, str) else query.copy()
        except sqlglot.ParseError as error:
            raise failed(error) from error
        read = [
            source
            for scope in traverse_scope(tree)
            for source in scope.sources.values()
            if isinstance(source, exp.Table) and source.name.lower() in self._personal
        ]
        for table in {id(one): one for one in read}.values():
            table.replace(self._part(table))
        return tree

    def _part(self, table: exp.Table) -> exp.Subquery:
        """The table without those people, under the name that the query knows it by."""
        person = exp.column("person_id")
        kept = exp.or_(
            person.is_(exp.null()), exp.not_(exp.In(this=person.copy(), expressions=self._people.expressions))
        )
        bare = table.copy()
        bare.set("alias", None)
        return exp.select("*").from_(bare).where(kept).subquery(table.alias_or_name)
