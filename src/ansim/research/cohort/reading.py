"""Reading `query/1` and `query/2` from text: what the parser lets in, and where an error stands."""

from typing import Any

from ansim import documents
from ansim.research.cohort import query as q
from ansim.research.cohort import texts
from ansim.research.cohort.checks import day, each, known, mapping, missing, one_of, part, whole
from ansim.research.cohort.definition import form


def query(source: str | bytes | dict) -> q.Query:
    """The query in a YAML or JSON text or in a document already read; see `query.parse`."""
    document = mapping(texts.read(source, depth=form.MAX_NESTING) if isinstance(source, str | bytes) else source)
    wider = document.get("ansim") == q.WIDER
    documents.kind(document, q.WIDER if wider else q.KIND)
    known(document, ("ansim", "title", "cohort", "variables", "period"))
    title = part(document, "title", lambda value: known(mapping(value), ("ko", "en")))
    return q.Query(
        korean=title.get("ko"),
        english=title.get("en"),
        cohort=part(document, "cohort", form.body if wider else _cohort),
        variables=part(document, "variables", lambda value: each(value, _variable), ()),
        period=part(document, "period", _period),
    )


def _cohort(value: Any) -> q.Cohort:
    document = known(mapping(value), ("entry", "age", "sex", "require", "exclude"))
    return q.Cohort(
        entry=part(document, "entry", _entry),
        age=part(document, "age", _age, q.Age()),
        sex=part(document, "sex", lambda value: each(value, lambda item: item), None),
        require=part(document, "require", lambda value: each(value, _criterion), ()),
        exclude=part(document, "exclude", lambda value: each(value, _criterion), ()),
    )


def _events(document: dict) -> dict:
    if "event" not in document:
        raise missing("event")
    if "concepts" not in document:  # an empty list says "every event"; leaving it out is more likely a slip
        raise missing("concepts")
    return {
        "event": document["event"],
        "concepts": part(document, "concepts", lambda value: each(value, _plain_number)),
        "descendants": document.get("descendants", False),
    }


def _plain_number(value: Any) -> Any:
    whole(value, "", 0, q.MAX_CONCEPT)  # before sorting, which needs numbers
    return value


def _selection(value: Any) -> q.Events:
    return q.Events(**_events(known(mapping(value), ("event", "concepts", "descendants"))))


def _entry(value: Any) -> q.Entry:
    document = known(mapping(value), ("event", "concepts", "descendants", "which"))
    return q.Entry(**_events(document), which=document.get("which", "first"))


def _criterion(value: Any) -> q.Criterion:
    document = known(mapping(value), ("event", "concepts", "descendants", "window", "at_least"))
    window = part(document, "window", _window, q.Window())
    return q.Criterion(**_events(document), window=window, at_least=document.get("at_least", 1))


def _window(value: Any) -> q.Window:
    document = known(mapping(value), ("from_days", "to_days"))
    return q.Window(document.get("from_days"), document.get("to_days"))


def _age(value: Any) -> q.Age:
    document = known(mapping(value), ("min", "max"))
    return q.Age(document.get("min"), document.get("max"))


def _period(value: Any) -> q.Period:
    document = known(mapping(value), ("from", "to"))
    return q.Period(part(document, "from", day), part(document, "to", day))


def _variable(value: Any) -> q.Variable:
    document = mapping(value)
    one_of(document.get("kind"), "kind", q.PERSON_KINDS + q.EVENT_KINDS)
    known(document, q._allowed(document["kind"]))
    of_events = document["kind"] in q.EVENT_KINDS
    return q.Variable(
        name=document.get("name", ""),
        kind=document["kind"],
        width=document.get("width"),
        events=q.Events(**_events(document)) if of_events else None,
        window=part(document, "window", _window, None) if of_events else None,
        pick=document.get("pick"),
        until=document.get("until"),
        at_most=document.get("at_most"),
        censor=part(document, "censor", lambda value: each(value, _selection), None),
    )
