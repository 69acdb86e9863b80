"""An agreement over a whole cohort definition (query/2) at a real holder site; an older one over a query/1 stays."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import back_rooms
import duckdb
from back_rooms import deliver, refused, work, world
from holder_life import HERE, KEY, TERMS, approved_case, data, job

from ansim.documents import digest
from ansim.governance.terms import parse_terms
from ansim.research.analysis import methods
from ansim.research.cohort.query import parse

OLD = TERMS["query"]
DEFINITION = {
    "sets": [{"name": "sinusitis", "concepts": [{"id": world.SINUSITIS, "descendants": True}]}],
    "entry": {"events": [{"condition_occurrence": {"concepts": "sinusitis", "age": {"gte": 18}}}], "limit": "first"},
    "rules": [{"name": "measured", "where": {"all": [{"of": {"measurement": {}}, "window": {"from": 0}}]}}],
    "end": {"after": "start", "days": 90},
}
WIDER = parse({**OLD, "ansim": "query/2", "cohort": DEFINITION, "variables": OLD["variables"][:3]}).document()
SPEC = {
    "ansim": "model/1",
    "kind": "logistic",
    "outcome": "chronic",
    "terms": [{"variable": "sex", "levels": ["F", "M"]}],
}


def observed() -> None:
    """Observation periods, and the vocabulary as concept sets need it."""
    with duckdb.connect(str(HERE.folder / "cdm.duckdb")) as con:
        con.execute(
            """CREATE TABLE observation_period AS SELECT person_id, person_id AS observation_period_id,
            DATE '2012-01-01' AS observation_period_start_date, DATE '2016-12-31' AS observation_period_end_date
            FROM person; ALTER TABLE concept ADD COLUMN invalid_reason VARCHAR"""
        )


def extract(post) -> None:
    from ansim.sites.holder import extraction, extracts

    asked = job(query=WIDER)
    deliver("extract.ask", {"job": asked}, "company-x")
    key = digest(asked["document"])[:16]
    assert extracts.get(key)["status"] == "waiting", extracts.get(key)["problem"]
    extracts.run(key, "operator-a")
    work()
    made = extracts.get(key)
    assert made["status"] == "in review", made["problem"]
    with duckdb.connect() as con:
        table = extraction.folder(key) / "condition_occurrence.parquet"
        left = con.sql(f"SELECT DISTINCT condition_concept_id FROM '{table}'")
        assert left.fetchall() == [(world.CHRONIC,)]
    assert not (extraction.folder(key) / "measurement.parquet").exists()


def rounds(post, query: dict, run: str) -> dict:
    """The holder's answer to a first round under this query."""
    asked = job("federated", method="logistic", spec=SPEC, query=query)
    deliver("fed.round", {"run": run, "round": 1, "job": asked, "state": methods.start("logistic", SPEC)}, "centre-1")
    [(_, answer, _)] = post.take("fed.answer")
    return answer


def main() -> None:
    data()
    observed()
    from ansim.sites.keeper import client

    keeper = client.start(HERE.folder)
    try:
        from ansim.sites.serve import prepare

        prepare(HERE.folder)
        from ansim.sites.holder import linkage  # noqa: F401 (its messages)

        post = back_rooms.Post()
        which = sys.argv[2]
        agreed = WIDER if which == "query/2" else OLD
        TERMS["query"] = agreed
        parse_terms(TERMS, parse)
        back_rooms.put_in_force(TERMS)
        approved_case()
        if which == "query/2":
            extract(post)
            other = {**WIDER, "cohort": {**WIDER["cohort"], "limit": "first"}}
            refusals = (other, {**WIDER, "period": {"from": "2012-03-21", "to": "2014-06-30"}}, OLD)
        else:  # signed before there was a query/2: still executable, and no wider question rides on it
            refusals = (WIDER,)
        answered = rounds(post, agreed, "run-own")
        assert answered["aggregate"]["people"] > 300, answered
        for number, query in enumerate(refusals):
            assert rounds(post, query, f"run-{number}")["refused"]
        assert TERMS["id"] == KEY
        refused("wrong-kind", parse_terms, {**TERMS, "query": {**agreed, "ansim": "query/3"}})
    finally:
        keeper.stdin.close()
        keeper.wait(5)


main()
