"""Definitions to one SQLGlot tree for DuckDB, PostgreSQL and Spark. What the words mean: docs/research/cohorts.md.

Everything is a set: no event needs a number of its own. What must hold around an index event is a function of the
person, the event's days, its observation period and at most its visit, so each condition is worked out once for each
different such key and joined back. Equal events and equal conditions of many definitions are one named part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition.around import (
    around,
    combined,
    existence,
    keys_of,
    of_visit,
    one_if,
    visits_matter,
)
from ansim.research.cohort.definition.domains import DEMOGRAPHIC
from ansim.research.cohort.definition.events import Columns, Events, column, literal, plus
from ansim.research.cohort.definition.periods import joined as joined_periods

_ALWAYS = m.Days()
DAYS = ("person_id", "start_date", "end_date", "op_start", "op_end")


class Plan:
    """Collects the named parts of one statement over definitions that `sets.share` has made share their sets."""

    def __init__(self, columns: Columns, members: Mapping[int, frozenset[int]], period: m.Days = _ALWAYS):
        self.events = Events(columns, members, period)
        self.events.need("observation_period", "person_id")
        self.parts: dict[str, exp.Query] = {}
        self.names: dict[object, str] = {}

    def part(self, key: object, make) -> str:  # type: ignore[no-untyped-def]
        """The name of the part with this key; made when it is not there yet."""
        if key not in self.names:
            query = make()
            self.names[key] = f"p{len(self.names)}"
            self.parts[self.names[key]] = query
        return self.names[key]

    def add(self, query: exp.Query) -> str:
        return self.part(object(), lambda: query)

    def attach(self, query: exp.Query) -> exp.Query:
        for name, part in self.parts.items():
            query = query.with_(name, as_=part, copy=False)
        return query

    # ---- events

    def matching(self, criterion: m.Criterion, facts: frozenset[str] = frozenset(), counted: str | None = None) -> str:
        """The part with the criterion's events, whose `where` holds."""
        return self.part((criterion, facts, counted), lambda: self._matching(criterion, facts, counted))

    def _matching(self, criterion: m.Criterion, facts: frozenset[str], counted: str | None) -> exp.Select:
        select = self.events.select
        if criterion.where is None or criterion.where.empty:
            return select(criterion, facts, counted)
        asked = facts | {"event_id"} | ({"visit"} if of_visit(criterion.where) else set())
        bare = self.part((criterion, asked, counted, "bare"), lambda: select(criterion, asked, counted))
        more = ["end_date", *sorted(asked), *(["counted"] if counted else [])]
        held = self.holding(self.add(_observed(bare, more)), criterion.where)
        # once each, also where two observation periods hold the event
        once = (
            exp.select(*(f"q.{name}" for name in ["person_id", "start_date", *more])).distinct().from_(f"{held} AS q")
        )
        wanted = ["person_id", "start_date", "end_date", *sorted(facts), *(["counted"] if counted else [])]
        return exp.select(*(f"d.{name}" for name in wanted)).from_(once.subquery("d"))

    # ---- conditions

    def holding(self, index: str, group: m.Group) -> str:
        """The part with the rows of the part `index` for which the group holds."""
        if group.empty:
            return index
        select, rest = exp.select("q.*").from_(f"{index} AS q"), group
        if group.kind == "all":
            select, rest = self._with_and_without(select, group)
        if not rest.empty:
            condition, joins, people = self._conditions(index, rest)
            select = _looking(select, joins, people).where(condition)
        return self.add(select)

    def _with_and_without(self, select: exp.Select, group: m.Group) -> tuple[exp.Select, m.Group]:
        """The select less the rows that lack an event of the group, or have one too many; and what is left to ask.

        A semi-join or anti-join looks for one event and stops; nothing is counted, made distinct, or joined back.
        """
        left = []
        for place, given in enumerate(group.criteria):
            enough = existence(given)
            kind = "semi" if enough else "anti"
            if enough is None or given.count.distinct is not None:
                left.append(given)
                continue
            facts = frozenset({"visit"} if given.same_visit else ())
            name = f"e{place}"
            events = self.matching(given.criterion, facts)
            on = exp.and_(*around(given, "q", name))
            select = select.join(f"{events} AS {name}", on=on, join_type=kind, copy=False)
        return select, replace(group, criteria=tuple(left))

    def marked(self, index: str, groups: Sequence[m.Group]) -> exp.Select:
        """Each row's person and start with the groups that hold: mask (group n is bit n), how many, the first."""
        select = exp.select("q.person_id", "q.start_date").from_(f"{index} AS q")
        conditions, joins, people = self._conditions(index, m.Group("all", groups=tuple(groups)), whole=False)
        mask: exp.Expr = exp.Literal.number(0)
        satisfied: exp.Expr = exp.Literal.number(0)
        earliest = exp.Case()
        for place, condition in enumerate(conditions.expressions):
            mask = exp.Add(this=mask, expression=one_if(condition, 1 << place))
            satisfied = exp.Add(this=satisfied, expression=one_if(condition.copy(), 1))
            earliest = earliest.when(condition.copy(), exp.Literal.number(place))
        select = select.select(exp.alias_(mask, "mask"), exp.alias_(satisfied, "satisfied"))
        select = select.select(
            exp.alias_(earliest.else_(exp.Literal.number(0)) if groups else satisfied.copy(), "earliest")
        )
        return _looking(select, joins, people)

    def _conditions(self, index: str, group: m.Group, whole: bool = True) -> tuple[exp.Expr, list, bool]:
        """The condition over `q` (not whole: a tuple of each part's), the parts to join with their keys, and whether
        people are looked at."""
        conditions: list[exp.Expr] = []
        joins: list[tuple[str, list[str]]] = []
        people = False
        for correlated in group.criteria:
            name, keys, condition = self._correlated(index, correlated)
            conditions.append(condition)
            joins.append((name, keys))
        for demographic in group.people:
            conditions.append(self._demographic(demographic))
            people = True
        for inner in group.groups:
            if inner.empty:
                conditions.append(exp.true())
                continue
            condition, more, of_people = self._conditions(index, inner)
            conditions.append(condition)
            joins += more
            people = people or of_people
        made = combined(group, conditions) if whole else exp.Tuple(expressions=conditions)
        return made, list(dict.fromkeys((n, tuple(k)) for n, k in joins)), people

    def _demographic(self, demographic: m.Demographic) -> exp.Expr:
        self.events.need("person", "person_id")
        by_name = {attribute.name: attribute for attribute in DEMOGRAPHIC}
        asked = [self.events.asked(by_name[name], value) for name, value in demographic.attributes]
        known = exp.not_(exp.Is(this=column("person_id", "p"), expression=exp.null()))
        condition = exp.and_(known, *[each for each in asked if each is not None])
        for each in condition.find_all(exp.Column):
            if each.table == "c":
                each.set("table", exp.to_identifier("q"))
        return condition

    def _correlated(self, index: str, given: m.Correlated) -> tuple[str, list[str], exp.Expr]:
        """The part that counts the events around each key of the index, its keys, and the condition on it."""
        keys = keys_of(given)
        part = self.part(("count", index, given), lambda: self._count(index, given, keys))
        if existence(given) == 0:
            return part, keys, exp.Is(this=column("person_id", part), expression=exp.null())
        if existence(given) == 1:
            return part, keys, exp.not_(exp.Is(this=column("person_id", part), expression=exp.null()))
        number = exp.func("COALESCE", column("n", part), exp.Literal.number(0))
        operator = {"exactly": exp.EQ, "at_most": exp.LTE, "at_least": exp.GTE}[given.count.op]
        return part, keys, operator(this=number, expression=exp.Literal.number(given.count.n))

    def _count(self, index: str, given: m.Correlated, keys: list[str]) -> exp.Select:
        enough = existence(given) is not None
        facts = frozenset({"visit"} if given.same_visit else ())
        counted = given.count.distinct
        events = self.matching(given.criterion, facts, counted)
        index_keys = exp.select(*(f"k.{key}" for key in keys)).distinct().from_(f"{index} AS k")
        select = exp.select(*(f"i.{key}" for key in keys)).from_(index_keys.subquery("i"))
        on = exp.and_(*around(given))
        if enough and counted is None:  # one event decides: pairs are never made
            return select.join(f"{events} AS e", on=on, join_type="semi")
        select = select.join(f"{events} AS e", on=on)
        what = "DISTINCT e.counted" if counted is not None else "*"
        number: exp.Expr = exp.maybe_parse(f"COUNT({what})")
        select = select.select(exp.alias_(number, "n")).group_by(*(f"i.{key}" for key in keys))
        return (
            select.having(exp.GT(this=number.copy(), expression=exp.Literal.number(0)))
            if counted is not None
            else select
        )

    # ---- the whole definition

    def entry(self, definition: m.Definition, visits: bool) -> str:
        """The entry events inside their observation period, with what orders them where only some count."""
        entry, limited = definition.entry, definition.entry.limit != "all"
        ordered = visits and (definition.qualified != "all" or definition.limit != "all")
        facts = frozenset({"visit"} if visits else ()) | ({"event_id"} if limited or ordered else set())
        facts |= {"sort_date"} if limited else set()
        names = [*sorted(facts), *(["domain"] if "event_id" in facts else [])]
        key = (entry, facts)
        return self.part(key, lambda: self._entry(entry, facts, names))

    def _entry(self, entry: m.Entry, facts: frozenset[str], names: list[str]) -> exp.Select:
        rows: exp.Query | None = None
        for place, criterion in enumerate(entry.criteria):
            part = self.matching(criterion, facts)
            one = exp.select(*(f"e.{name}" for name in ("person_id", "start_date", "end_date", *sorted(facts))))
            one = one.from_(f"{part} AS e")
            if "domain" in names:
                one = one.select(exp.alias_(exp.Literal.number(place), "domain"))
            rows = one if rows is None else exp.union(rows, one, distinct=False, copy=False)
        assert rows is not None
        found = _observed(rows, ["end_date", *names])
        if entry.days_before:
            found = found.where(
                plus(column("observation_period_start_date", "o"), entry.days_before) <= column("start_date", "e")
            )
        if entry.days_after:
            found = found.where(
                plus(column("start_date", "e"), entry.days_after) <= column("observation_period_end_date", "o")
            )
        if entry.limit == "all":
            return found
        direction = " DESC" if entry.limit == "last" else ""
        order = f"q.sort_date{direction}, q.event_id, q.domain, q.end_date, q.op_start"
        return _one_each(found, [*DAYS, *names], order)

    def limited(self, index: str, limit: str, visits: bool) -> str:
        """One row a person, in the total order start, end, domain, source id."""
        if limit == "all":
            return index
        names = [*DAYS, *(["visit", "event_id", "domain"] if visits else [])]
        more = ", q.domain, q.event_id, q.visit" if visits else ""
        order = f"q.start_date{' DESC' if limit == 'last' else ''}, q.end_date{more}, q.op_start, q.op_end"
        return self.add(_one_each(exp.select("r.*").from_(f"{index} AS r"), names, order))

    def qualified(self, definition: m.Definition) -> str:
        """The entry events that the rules are asked of."""
        visits = visits_matter(definition)
        index = self.entry(definition, visits)
        if definition.where is None:  # Circe applies this limit only beside additional criteria, be they empty
            return index
        return self.limited(self.holding(index, definition.where), definition.qualified, visits)

    def included(self, definition: m.Definition) -> str:
        """The events that satisfy every rule; rules that look only at the person come first, being quick."""
        visits = visits_matter(definition)
        index = self.qualified(definition)
        for rule in sorted(definition.rules, key=lambda rule: not _of_people(rule.where)):
            index = self.holding(index, rule.where)
        return self.limited(index, definition.limit, visits)

    def cohort(self, definition: m.Definition) -> exp.Select:
        """person_id, start_date, end_date: the periods of the cohort, all in SQL (`run` joins them outside)."""
        ended = self.ended(definition)
        rows = ended if definition.limit != "all" else joined_periods(ended, definition.pad)
        return _clipped(rows, definition.within)

    def ended(self, definition: m.Definition) -> exp.Select:
        """person_id, start_date, end_date of each event that is included, not yet joined."""
        return self._ended(self.included(definition), definition)

    def _ended(self, index: str, definition: m.Definition) -> exp.Select:
        """Each event with the earliest of its ends that is not before its start."""
        select = exp.select("i.person_id", "i.start_date").from_(f"{index} AS i")
        ends: list[exp.Expr] = [] if isinstance(definition.end, m.FixedEnd) else [column("op_end", "i")]
        if isinstance(definition.end, m.FixedEnd):
            ends.append(_fixed_end(definition.end))
        if isinstance(definition.end, m.DrugEnd):
            name = self.part(definition.end, lambda: self._drug_eras(definition.end))  # type: ignore[arg-type]
            on = "d.person_id = i.person_id AND i.start_date >= d.start_date AND i.start_date <= d.end_date"
            select = select.join(f"{name} AS d", on=on, join_type="left")
            ends.append(column("end_date", "d"))
        if definition.censor:
            name = self.add(self._censored(index, definition.censor))
            on = "x.person_id = i.person_id AND x.start_date = i.start_date AND x.op_end = i.op_end"
            select = select.join(f"{name} AS x", on=on, join_type="left")
            ends.append(column("censored", "x"))
        end = exp.func("LEAST", *ends) if len(ends) > 1 else ends[0]
        select = select.select(exp.alias_(end, "end_date"))
        return (
            exp.select("f.person_id", "f.start_date", "f.end_date")
            .from_(select.subquery("f"))
            .where("f.end_date >= f.start_date")
        )

    def _drug_eras(self, end: m.DrugEnd) -> exp.Select:
        domain = m.Criterion("drug_exposure").of
        rows: exp.Query | None = None
        for concept in ("drug_concept_id", "drug_source_concept_id"):
            one = self.events.exposures(domain, concept, end)
            rows = one if rows is None else exp.union(rows, one, distinct=False)
        assert rows is not None
        return joined_periods(rows, end.gap)

    def _censored(self, index: str, criteria: tuple[m.Criterion, ...]) -> exp.Select:
        """The first censoring event from an event on, inside its observation period."""
        rows: exp.Query | None = None
        for criterion in criteria:
            one = exp.select("e.person_id", "e.start_date").from_(f"{self.matching(criterion)} AS e")
            rows = one if rows is None else exp.union(rows, one, distinct=False)
        assert rows is not None
        keys = exp.select("k.person_id", "k.start_date", "k.op_end").distinct().from_(f"{index} AS k")
        return (
            exp.select("k.person_id", "k.start_date", "k.op_end", "MIN(c.start_date) AS censored")
            .from_(keys.subquery("k"))
            .join(
                rows.subquery("c"),
                on="c.person_id = k.person_id AND c.start_date >= k.start_date AND c.start_date <= k.op_end",
            )
            .group_by("k.person_id", "k.start_date", "k.op_end")
        )


def _fixed_end(end: m.FixedEnd) -> exp.Expr:
    day = plus(column(f"{end.side}_date", "i"), end.days)
    clipped = (
        exp.Case().when(exp.GT(this=day, expression=column("op_end", "i")), column("op_end", "i")).else_(day.copy())
    )
    return exp.Case().when(exp.GTE(this=exp.paren(clipped), expression=column("start_date", "i")), clipped.copy())


def _clipped(rows: exp.Select, within: m.Days) -> exp.Select:
    if within == m.Days():
        return rows
    start: exp.Expr = column("start_date", "r")
    end: exp.Expr = column("end_date", "r")
    start = start if within.first is None else exp.func("GREATEST", start, literal(within.first))
    end = end if within.last is None else exp.func("LEAST", end, literal(within.last))
    select = exp.select("r.person_id", exp.alias_(start, "start_date"), exp.alias_(end, "end_date"))
    return select.from_(rows.subquery("r")).where(exp.LTE(this=start.copy(), expression=end.copy()))


def _one_each(rows: exp.Select, names: Sequence[str], order: str) -> exp.Select:
    place = f"ROW_NUMBER() OVER (PARTITION BY q.person_id ORDER BY {order}) AS place"
    ranked = exp.select("q.*", place).from_(rows.subquery("q"))
    return exp.select(*(f"w.{name}" for name in names)).from_(ranked.subquery("w")).where("w.place = 1")


def _of_people(group: m.Group) -> bool:
    return not group.criteria and all(_of_people(each) for each in group.groups)


def _looking(select: exp.Select, joins: list, people: bool) -> exp.Select:
    """The select with the counts, and the people, that its conditions look at."""
    for name, keys in joins:
        on = exp.and_(*(exp.EQ(this=column(key, name), expression=column(key, "q")) for key in keys))
        select = select.join(name, on=on, join_type="left")
    return select.join("person AS p", on="p.person_id = q.person_id", join_type="left") if people else select


def _observed(events: exp.Query | str, more: Sequence[str]) -> exp.Select:
    """The events with the observation period that their first day lies in."""
    source = f"{events} AS e" if isinstance(events, str) else events.subquery("e")
    return (
        exp.select("e.person_id", "e.start_date", *(f"e.{name}" for name in more))
        .select("o.observation_period_start_date AS op_start", "o.observation_period_end_date AS op_end")
        .from_(source)
        .join(
            "observation_period AS o",
            on="o.person_id = e.person_id AND e.start_date >= o.observation_period_start_date "
            "AND e.start_date <= o.observation_period_end_date",
        )
    )
