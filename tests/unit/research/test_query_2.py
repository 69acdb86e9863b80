"""query/2: the query document with a whole definition as its cohort; query/1 stays what it is."""

import random
from datetime import timedelta

import definition_data
import duckdb
import pytest

from ansim.errors import Problem
from ansim.research.cohort import compile, reference
from ansim.research.cohort import query as q
from ansim.research.cohort.definition import form
from ansim.research.cohort.explain import explain
from ansim.research.cohort.query import parse
from ansim.research.cohort.scope import outside

DEFINITION = {
    "sets": [{"name": "a", "concepts": [1]}],
    "entry": {"events": [{"condition_occurrence": {"concepts": "a"}}]},
    "end": {"after": "start", "days": 30},
}
DOCUMENT = {
    "ansim": "query/2",
    "title": {"ko": "물음", "en": "A question"},
    "cohort": DEFINITION,
    "variables": [{"name": "sex", "kind": "sex"}, {"name": "n", "kind": "count", "event": "drug", "concepts": []}],
    "period": {"from": "2018-01-01", "to": "2018-12-31"},
}
OLD = DOCUMENT | {"ansim": "query/1", "cohort": {"entry": {"event": "condition", "concepts": [1]}}}


def test_the_old_document_keeps_its_name():
    """The digest under which agreements were signed before query/2 was there."""
    assert parse(OLD).digest == "23f43e881641335481e58b73f132be7695332ab698ad1e8132ad7cdff3178ad6"


def test_documents_are_read_back_as_they_are():
    query = parse(DOCUMENT)
    assert query.document()["ansim"] == "query/2"
    assert parse(query.document()) == query
    assert "A question" in explain(query, "en")
    assert "30 days after the event's start" in explain(query, "en")
    with pytest.raises(Problem) as caught:
        parse(DOCUMENT | {"cohort": DEFINITION | {"entry": {"events": [{"condition_occurrence": {"concepts": "b"}}]}}})
    assert caught.value.where == "cohort.entry.events[0].condition_occurrence.concepts"
    with pytest.raises(Problem):
        parse(OLD | {"ansim": "query/2"})
    with pytest.raises(Problem):
        parse(DOCUMENT | {"ansim": "query/1"})


def test_only_the_same_definition_over_the_same_period_is_within():
    agreed = parse(DOCUMENT)
    assert not outside(parse(DOCUMENT | {"variables": DOCUMENT["variables"][:1]}), agreed)
    narrower = DEFINITION | {"limit": "first"}
    period = {"from": "2018-01-01", "to": "2018-06-30"}
    more = [*DOCUMENT["variables"], {"name": "age", "kind": "age"}]
    for change in ({"cohort": narrower}, {"period": period}, {"variables": more}):
        assert outside(parse(DOCUMENT | change), agreed)
    assert outside(parse(OLD), agreed)
    assert outside(agreed, parse(OLD))


def test_engines_agree_on_cohort_and_frame():
    found = 0
    with duckdb.connect() as con:
        for seed in range(10):
            chance = random.Random(seed)
            data = definition_data.data(chance)
            definition_data.load(con, data)
            definition = definition_data.Maker(chance).definition()
            first = definition_data.START + timedelta(chance.choice([0, 0, 20]))
            period = q.Period(first, first + timedelta(chance.choice([130, 130, 60])))
            drugs = q.Variable("drugs", "count", events=q.Events("drug"), window=q.Window(-30, 30))
            conditions, until = q.Events("condition"), ("observation", "cohort")[seed % 2]
            pair = [q.Variable(kind, kind, events=conditions, window=q.Window(1), until=until) for kind in q.FOLLOWED]
            query = q.Query("물음", "A question", definition, period, (q.Variable("sex", "sex"), drugs, *pair))
            assert parse(query.document()) == query
            assert form.body(form.write(definition)) == definition
            expected = reference.cohort(data, query)
            assert compile.cohort(con, query).to_pylist() == expected, seed
            assert compile.frame(con, query, [1, 2]).to_pylist() == reference.frame(data, query, (1, 2)), seed
            assert compile.missing(con, query) == []
            found += bool(expected)
    assert found > 3
