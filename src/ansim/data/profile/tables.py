"""Tables and columns: people, records, how full each column is, and how records spread over the months."""

from ansim.data.cdm import Event, quoted, tables
from ansim.data.profile import sql
from ansim.data.profile.rules import Rule


def personal(columns: dict[str, dict[str, str]]) -> list[str]:
    return [table.name for table in tables().values() if table.personal and table.name in columns]


def _columns(table: str, columns: dict[str, dict[str, str]]) -> list[str]:
    return [column for column in tables()[table].names if column in columns[table]]


def queries(columns: dict[str, dict[str, str]], events: list[Event]) -> dict[str, str]:
    found = {}
    for table in personal(columns):
        counts = ", ".join(f"COUNT({quoted(column)})" for column in _columns(table, columns))
        found[f"table: {table}"] = f"SELECT COUNT(DISTINCT person_id), COUNT(*), {counts} FROM {sql.known(table)}"
    for event in events:
        found[f"months: {event.table}"] = f"""SELECT m, COUNT(*), SUM(n) FROM (
            SELECT {sql.month(event.start)} AS m, person_id, COUNT(*) AS n
            FROM {sql.known(event.table)} AND {event.start} IS NOT NULL GROUP BY 1, 2) AS e GROUP BY m"""
    return found


def partial_queries(columns: dict[str, dict[str, str]], answers: dict[str, list[tuple]]) -> dict[str, str]:
    """For columns that are neither full nor empty: the people with a value, and those with a row without one."""
    found = {}
    for table in personal(columns):
        _people, records, *filled = answers[f"table: {table}"][0]
        partial = [column for column, n in zip(_columns(table, columns), filled, strict=True) if 0 < n < records]
        if partial:
            counts = ", ".join(f"COUNT({quoted(column)}) AS c{place}" for place, column in enumerate(partial))
            sides = ", ".join(
                f"COUNT(CASE WHEN c{place} > 0 THEN 1 END), COUNT(CASE WHEN c{place} < n THEN 1 END)"
                for place in range(len(partial))
            )
            found[f"columns: {table}"] = (
                f"SELECT {sides} FROM (SELECT person_id, COUNT(*) AS n, {counts} FROM {sql.known(table)} "
                "GROUP BY person_id) AS own"
            )
    return found


def assemble(columns: dict[str, dict[str, str]], answers: dict[str, list[tuple]], rule: Rule) -> dict[str, list[dict]]:
    told: dict[str, list[dict]] = {"tables": [], "columns": [], "months": []}
    for table in personal(columns):
        people, records, *filled = answers[f"table: {table}"][0]
        if not people:
            continue
        told["tables"].append({"table": table, **rule.row(people, records)})
        if people < rule.threshold:
            continue
        sides = iter(answers[f"columns: {table}"][0] if f"columns: {table}" in answers else ())
        for column, number in zip(_columns(table, columns), filled, strict=True):
            share: int | None = round(100 * number / records)
            if 0 < number < records and not rule.apart(next(sides), next(sides)):
                share = None
            told["columns"].append({"table": table, "column": column, "filled_percent": share})
    for name, rows in answers.items():
        if name.startswith("months: "):
            told["months"] += [
                {"table": name[8:], "month": sql.month_text(month), **rule.row(people, int(records))}
                for month, people, records in sorted(rows)
                if people >= rule.threshold
            ]
    return told
