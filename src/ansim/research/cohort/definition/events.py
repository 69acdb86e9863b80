"""One criterion to the SELECT of its events: what is asked of the row itself, not yet of what stands around it.

The events have person_id, start_date, end_date, and as asked for: visit (its id), event_id, sort_date, counted.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlglot import exp

from ansim.errors import N_, Problem
from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition.domains import ABNORMAL, REGION_END, Attribute, Domain

Columns = Mapping[str, Mapping[str, str]]
OPERATORS: dict[str, type[exp.Binary]] = {
    "lt": exp.LT,
    "lte": exp.LTE,
    "eq": exp.EQ,
    "not_eq": exp.NEQ,
    "gt": exp.GT,
    "gte": exp.GTE,
}
INLINE = 1_000  # concepts that a set may have to be written as a list
_ALWAYS = m.Days()
FACTS = frozenset({"event_id", "visit", "sort_date"})


@dataclass(frozen=True)
class Joined:
    """A table that an attribute looks into: people, visits and places must be there, providers need not (as Circe)."""

    alias: str
    table: str
    key: str
    more: str = ""
    side: str = "inner"

    def to(self, select: exp.Select) -> exp.Select:
        on = f"{self.alias}.{self.key} = c.{self.key} {self.more}"
        return select.join(f"{self.table} AS {self.alias}", on=on, join_type=self.side)


class Events:
    """Makes the SELECTs. columns: what the database has. members: the concepts of each set, by number.

    period: events that start outside these days do not exist (query/2).
    """

    def __init__(self, columns: Columns, members: Mapping[int, frozenset[int]], period: m.Days = _ALWAYS):
        self.columns, self.members, self.period = columns, members, period

    def select(self, criterion: m.Criterion, facts: frozenset[str], counted: str | None = None) -> exp.Select:
        """The events of the criterion without its `where`. facts: which of FACTS are wanted."""
        domain = criterion.of
        refuse_ignored(criterion)
        rows = self._rows(criterion, facts, counted)
        select = exp.select("c.person_id").from_(rows.subquery("c"))
        fixed = dict(criterion.attributes).get("user_defined", m.Days())
        for name, day in (("start_date", fixed.first), ("end_date", fixed.last)):
            select = select.select(exp.alias_(column(name, "c") if day is None else literal(day), name))
        if "sort_date" in facts:
            select = select.select("c.start_date AS sort_date")
        for name in ("event_id", "visit"):
            if name in facts:
                select = select.select(column(name, "c"))
        if counted is not None:
            select = select.select(exp.alias_(self._counted(domain, counted), "counted"))
        if criterion.first:
            select = select.where("c.place = 1")
        if criterion.adjust is not None:
            select = select.where("c.end_date >= c.start_date")
        for name, value in criterion.attributes:
            attribute = domain.attribute(name)
            select = self._asked(select, attribute, value)
        return self._joined(select, [domain.attribute(name) for name, _ in criterion.attributes])

    def _joined(self, select: exp.Select, asked: Iterable[Attribute]) -> exp.Select:
        """The select with the tables that these attributes look into."""
        of = {"person" if each.of.startswith("age_at_") else each.of.rpartition(".")[0] for each in asked}
        for table, given in JOINS.items():
            if table in of:
                self.need(given.table, given.key)
                select = given.to(select)
        return select

    def need(self, table: str, key: str) -> None:
        """Raises Problem when the data do not have this table; only tables of events may be missing."""
        if key not in self.columns.get(table, {}):
            raise Problem(
                "no-table",
                N_("The data have no table {table}, which the definition looks into."),
                where=table,
                remedy=N_("Load the table, or ask without it."),
                table=table,
            )

    def _rows(self, criterion: m.Criterion, facts: frozenset[str], counted: str | None) -> exp.Select:
        """The rows of the table with these concepts and the columns that are needed further on."""
        domain = criterion.of
        start, end = self.dates(domain, criterion.adjust)
        person = self._column(domain, "entity_id" if domain.name == "location_region" else "person_id")
        select = exp.select(
            exp.alias_(person, "person_id"), exp.alias_(start, "start_date"), exp.alias_(end, "end_date")
        ).from_(self._table(domain))
        if "event_id" in facts:
            select = select.select(exp.alias_(self._column(domain, domain.key), "event_id"))
        if "visit" in facts:
            visit = self._column(domain, "visit_occurrence_id") if domain.visit else exp.null()
            select = select.select(exp.alias_(exp.cast(visit, "BIGINT"), "visit"))
        if domain.name == "location_region":
            select = select.join("location AS l", on="l.location_id = t.location_id").where("t.domain_id = 'PERSON'")
        for name in sorted(self._needed(criterion, counted)):
            select = select.select(exp.alias_(self._column(domain, name), name))
        select = self._in_period(select, domain)
        if criterion.concepts is not None:
            concept = column(domain.concept, "l") if domain.name == "location_region" else None
            select = select.where(self.chosen(concept or self._column(domain, domain.concept), criterion.concepts))
        source = dict(criterion.attributes).get("source_concepts")
        if source is not None:
            select = select.where(self.chosen(self._column(domain, domain.attribute("source_concepts").of), source))
        if criterion.first:
            order = [exp.Ordered(this=self._column(domain, name)) for name in (domain.start, domain.key)]
            place = exp.Window(
                this=exp.RowNumber(),
                partition_by=[self._column(domain, "person_id")],
                order=exp.Order(expressions=order),
            )
            select = select.select(exp.alias_(place, "place"))
        return select

    def _needed(self, criterion: m.Criterion, counted: str | None) -> set[str]:
        domain, names = criterion.of, set()
        for name, _ in criterion.attributes:
            of = domain.attribute(name).of
            table, _, plain = of.rpartition(".")
            if of in DERIVED:
                names |= set(DERIVED[of])
            elif table == "ratio":
                names |= {"value_as_number", plain}
            elif table in JOINS:
                names |= {JOINS[table].key} - {"person_id"}
            elif name != "source_concepts":
                names.add(of)
        if counted is not None:
            of = domain.counts.get(counted, "visit_occurrence_id" if counted == "VISIT_ID" else "")
            names |= {of} - {"length", "one", ""}
        return names

    def dates(self, domain: Domain, adjust: m.Adjustment | None = None) -> tuple[exp.Expr, exp.Expr]:
        """The first and last day of a row `t`."""
        start = self._day(domain, domain.start)
        ends = [self._day(domain, domain.end)] if domain.end else []
        if domain.supply:
            ends.append(plus(start.copy(), exp.cast(self._column(domain, domain.supply), "INT")))
        if domain.else_next_day:
            ends.append(plus(start.copy(), 1))
        if domain.name == "location_region":
            ends.append(literal(date.fromisoformat(REGION_END)))
        end = exp.func("COALESCE", *ends) if len(ends) > 1 else ends[0]
        if adjust is None:
            return start, end
        sides = {"start": start, "end": end}
        return (
            plus(sides[adjust.start_with].copy(), adjust.start_days),
            plus(sides[adjust.end_with].copy(), adjust.end_days),
        )

    def exposures(self, domain: Domain, concept: str, end: m.DrugEnd) -> exp.Select:
        """The drug exposures of an end strategy by one column of concepts, `extra` days longer."""
        start, last = self.dates(domain)
        if end.supply is not None:
            last = plus(start.copy(), end.supply)
        select = (
            exp.select(exp.alias_(self._column(domain, "person_id"), "person_id"), exp.alias_(start, "start_date"))
            .select(exp.alias_(plus(last, end.extra), "end_date"))
            .from_(self._table(domain))
            .where(self.chosen(self._column(domain, concept), end.concepts))
        )
        return self._in_period(select, domain)

    def _in_period(self, select: exp.Select, domain: Domain) -> exp.Select:
        for day, operator in ((self.period.first, exp.GTE), (self.period.last, exp.LTE)):
            if day is not None:
                select = select.where(operator(this=self._day(domain, domain.start), expression=literal(day)))
        return select

    def _day(self, domain: Domain, name: str) -> exp.Expr:
        found = self._column(domain, name)
        return found if self.columns.get(domain.table, {}).get(name, "date") == "date" else exp.cast(found, "DATE")

    def _table(self, domain: Domain) -> exp.Expr:
        """The table as `t`; one that the data do not have is empty (`run.missing` tells)."""
        if domain.table in self.columns:
            return exp.alias_(exp.to_table(domain.table), "t", table=True)
        return exp.select("1 AS nothing").where("FALSE").subquery("t")

    def _column(self, domain: Domain, name: str) -> exp.Expr:
        """The column of the table, or null of a column that the data do not have."""
        if name in self.columns.get(domain.table, {}):
            return column(name, "t")
        return exp.cast(exp.null(), TYPES.get(name.rsplit("_", 1)[-1], "BIGINT"))

    def chosen(self, concept: exp.Expr, number: int, exclude: bool = False) -> exp.Expr:
        """The concept is (not) in the set. Not in an empty set is everything, also what has no concept."""
        members = self.members[number]
        if not members:
            return exp.true() if exclude else exp.false()
        if len(members) > INLINE:
            inside: exp.Expr = exp.In(this=concept, query=listing(members).subquery())
        else:
            inside = exp.In(this=concept, expressions=[exp.Literal.number(each) for each in sorted(members)])
        return exp.not_(inside) if exclude else inside

    def _asked(self, select: exp.Select, attribute: Attribute, value: Any) -> exp.Select:
        if attribute.name == "source_concepts":
            return select  # asked before the first event was chosen
        if attribute.kind == "period":
            for day in (value.first, value.last):
                if day is not None:
                    inside = column("start_date", "c") <= literal(day)
                    select = select.where(inside, column("end_date", "c") >= literal(day))
            return select
        if attribute.of == "abnormal":
            outside = "c.value_as_number < c.range_low OR c.value_as_number > c.range_high"
            return select.where(f"({outside} OR c.value_as_concept_id IN ({ABNORMAL[0]}, {ABNORMAL[1]}))")
        if attribute.of == "care_site_region":
            region = self.chosen(column("region_concept_id", "l"), value)
            return select.where(exp.Exists(this=_LIVED.copy().where(region)))
        return select.where(self.asked(attribute, value))

    def asked(self, attribute: Attribute, value: Any) -> exp.Expr | None:
        """The condition on `c` (and on the joined tables); None when nothing is asked."""
        if attribute.kind in ("number", "decimal", "date"):
            rounded = decimal if attribute.kind == "decimal" else literal
            if attribute.of == "length":
                return compare(column("end_date", "c"), value, lambda n: plus(column("start_date", "c"), n))
            return compare(self._measured(attribute.of), value, rounded)
        if isinstance(value, m.TextFilter):
            return like(column(attribute.of, "c"), value)
        concept = self._measured(attribute.of)
        if isinstance(value, m.Listed):
            if not value.concepts:
                return None
            inside = concept.isin(*[each.id for each in value.concepts])
            return exp.not_(inside) if value.exclude else inside
        if isinstance(value, m.Selection):
            if value.set is not None:
                return self.chosen(concept, value.set, value.exclude)
            missing = exp.Is(this=concept, expression=exp.null())
            return missing if value.exclude else exp.not_(missing)
        return self.chosen(concept, value)

    def _measured(self, of: str) -> exp.Expr:
        if of in ("start", "end"):
            return column(f"{of}_date", "c")
        if of.startswith("age_at_"):
            year = exp.Extract(this=exp.var("YEAR"), expression=column(f"{of.removeprefix('age_at_')}_date", "c"))
            return exp.Sub(this=year, expression=column("year_of_birth", "p"))
        if of.startswith("ratio."):
            low = exp.func("NULLIF", column(of.removeprefix("ratio."), "c"), exp.Literal.number(0))
            return exp.Div(this=exp.cast(column("value_as_number", "c"), "DOUBLE"), expression=exp.cast(low, "DOUBLE"))
        table, _, name = of.rpartition(".")
        return column(name, JOINS[table].alias if table else "c")

    def _counted(self, domain: Domain, counted: str) -> exp.Expr:
        if counted in ("START_DATE", "END_DATE"):
            return column(counted.lower(), "c")
        of = "visit_occurrence_id" if counted == "VISIT_ID" else domain.counts[counted]
        if of == "one":
            return exp.Literal.number(1)
        if of == "length":
            return exp.DateDiff(this=column("end_date", "c"), expression=column("start_date", "c"), unit=exp.var("DAY"))
        found = column(of, "c")
        return exp.func("COALESCE", found, exp.Literal.number(0)) if domain.name == "death" else found


DERIVED: dict[str, tuple[str, ...]] = {  # what is not a column of its own, and the columns that it needs
    "": (),
    "start": (),
    "end": (),
    "length": (),
    "age_at_start": (),
    "age_at_end": (),
    "abnormal": ("value_as_number", "range_low", "range_high", "value_as_concept_id"),
    "care_site_region": ("care_site_id",),
}
TYPES = {"date": "DATE", "reason": "VARCHAR", "string": "VARCHAR", "number": "DOUBLE", "value": "DOUBLE"}
JOINS = {
    "person": Joined("p", "person", "person_id"),
    "visit": Joined("v", "visit_occurrence", "visit_occurrence_id", "AND v.person_id = c.person_id"),
    "provider": Joined("pr", "provider", "provider_id", side="left"),
    "care_site": Joined("cs", "care_site", "care_site_id"),
}
_LIVED = (
    exp.select("1")
    .from_("location_history AS lh")
    .join("location AS l", on="l.location_id = lh.location_id")
    .where("lh.entity_id = c.care_site_id", "lh.domain_id = 'CARE_SITE'", "c.start_date >= lh.start_date")
    .where(f"c.end_date <= COALESCE(lh.end_date, CAST('{REGION_END}' AS DATE))")
)


def refuse_ignored(criterion: m.Criterion) -> None:
    """What Circe reads and never applies is refused: whoever wrote it means something."""
    refused = [name for name, _ in criterion.attributes if criterion.of.attribute(name).ignored]
    if criterion.domain == "visit_occurrence" and getattr(dict(criterion.attributes).get("type"), "exclude", False):
        refused.append("type")
    if criterion.adjust is not None and not criterion.of.adjusts:
        refused.append("adjust")
    if refused:
        raise Problem(
            "never-applied",
            N_("OHDSI's Circe reads {name} of {domain} and never applies it; its counts would not mean that."),
            where=f"{criterion.domain}.{refused[0]}",
            remedy=N_("Leave it out, or say it in another way."),
            name=refused[0],
            domain=criterion.domain,
        )


def column(name: str, table: str) -> exp.Column:
    return exp.column(name, table)


def literal(value: Any) -> exp.Expr:
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "DATE")
    return exp.Literal.number(value) if value >= 0 else exp.Neg(this=exp.Literal.number(-value))


def decimal(value: int | Decimal) -> exp.Expr:
    """Circe writes such numbers with four digits, halves rounded away from zero."""
    return literal(Decimal(value).quantize(Decimal("0.0001"), ROUND_HALF_UP))


def plus(day: exp.Expr, days: int | exp.Expr) -> exp.Expr:
    """The day so many days later. A sum of a day and a whole number is a day in each engine."""
    if isinstance(days, int):
        if days == 0:
            return day
        number = exp.Literal.number(abs(days))
        return exp.Add(this=day, expression=number) if days > 0 else exp.Sub(this=day, expression=number)
    return exp.Add(this=day, expression=days)


def compare(left: exp.Expr, asked: m.Range, write: Callable[[Any], exp.Expr]) -> exp.Expr:
    if asked.op.endswith("between"):
        inside = exp.and_(exp.GTE(this=left, expression=write(asked.value)),
                          exp.LTE(this=left.copy(), expression=write(asked.extent)))  # fmt: skip
        return exp.not_(exp.paren(inside)) if asked.op.startswith("not") else inside
    return OPERATORS[asked.op](this=left, expression=write(asked.value))


def like(left: exp.Expr, asked: m.TextFilter) -> exp.Expr:
    before = "" if asked.op.endswith("starts_with") else "%"
    after = "" if asked.op.endswith("ends_with") else "%"
    found = exp.Like(this=left, expression=exp.Literal.string(before + asked.text + after))
    return exp.not_(found) if asked.op.startswith("not_") else found


def listing(numbers: frozenset[int]) -> exp.Select:
    """Many numbers as a table of one column, for lists that would be too long."""
    rows = [exp.Tuple(expressions=[exp.Literal.number(each)]) for each in sorted(numbers)]
    values = exp.Values(
        expressions=rows, alias=exp.TableAlias(this=exp.to_identifier("v"), columns=[exp.to_identifier("n")])
    )
    return exp.select("n").from_(values)
