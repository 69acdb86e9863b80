"""A query in words that people sign: cohort and variables as Korean and English sentences.

The definition of a query/2 is told by the research library; the caller gives its lines.
"""

from collections.abc import Mapping, Sequence

from ansim.governance.papers.paper import Text, text

Names = Mapping[int, Text | str]  # concept id -> its name

EVENTS = {
    "condition": text("진단", "condition"),
    "drug": text("약물", "drug"),
    "measurement": text("검사", "measurement"),
    "procedure": text("처치·수술", "procedure"),
    "observation": text("관찰", "observation"),
    "visit": text("방문", "visit"),
    "device": text("의료기기", "device"),
    "death": text("사망", "death"),
    "cost": text("비용", "cost"),
}
SEXES = {"F": text("여성", "female"), "M": text("남성", "male")}
PICKS = {"last": text("마지막 값", "last value"), "first": text("첫 값", "first value")}


def cohort(query: dict, names: Names, told: Sequence[Text] = ()) -> list[Text]:
    """The cohort, one sentence a criterion, then the period of the data. told: the lines of a query/2's definition."""
    if query["ansim"] == "query/2":
        if not told:
            raise ValueError("the definition of a query/2 is told by its caller")
        return [*told, _period(query["period"])]
    return [*_criteria(query, names), _period(query["period"])]


def _criteria(query: dict, names: Names) -> list[Text]:
    found, entry = query["cohort"], query["cohort"]["entry"]
    first = entry.get("which") == "first"
    what = event(entry, names)
    lines = [
        text(
            f"{what['ko']} 기록이 {'처음 있는' if first else '있는'} 날에 코호트에 들어옵니다.",
            f"A person enters on {'the first' if first else 'any'} day with {what['en']}.",
        )
    ]
    if age := _ages(found.get("age") or {}):
        lines.append(age)
    if sexes := found.get("sex"):
        ko, en = (", ".join(SEXES[sex][language] for sex in sexes) for language in ("ko", "en"))
        lines.append(text(f"성별: {ko}.", f"Sex: {en}."))
    lines += [_criterion(rule, names, text("있어야 합니다", "must be present")) for rule in found.get("require") or []]
    return lines + [
        _criterion(rule, names, text("없어야 합니다", "must be absent")) for rule in found.get("exclude") or []
    ]


def _period(period: dict) -> Text:
    return text(
        f"{period['from']}부터 {period['to']}까지의 자료만 씁니다.",
        f"Only data from {period['from']} to {period['to']} are used.",
    )


def variable(found: dict, names: Names) -> Text:
    """What a variable holds."""
    kind = found["kind"]
    if kind == "sex":
        return text("성별", "sex")
    if kind == "age":
        return text("진입일의 만 나이", "completed years of age on the entry date")
    if kind == "age_band":
        return text(f"{found['width']}세 단위 연령대", f"age in bands of {found['width']} years")
    what, when = event(found, names), window(found.get("window"))
    if kind == "flag":
        return text(f"{when['ko']} {what['ko']} 여부", f"whether {what['en']} {when['en']}")
    if kind == "count":
        return text(f"{when['ko']} {what['ko']} 횟수", f"number of {what['en']} {when['en']}")
    if kind == "days":
        return text(
            f"진입일부터 {when['ko']} 첫 {what['ko']}까지의 일수",
            f"days from entry to {what['en']} (the first) {when['en']}",
        )
    if kind in ("follow_up", "reached"):
        return _followed(found, what, when, names)
    pick = PICKS.get(found.get("pick", ""), text(found.get("pick") or "값", found.get("pick") or "value"))
    return text(f"{when['ko']} {what['ko']}의 {pick['ko']}", f"{pick['en']} of {what['en']} {when['en']}")


def _followed(found: dict, what: Text, when: Text, names: Names) -> Text:
    """Time to an event, or whether it came, with all that else ends the follow-up."""
    ends = [event(each, names) for each in found["censor"]]
    if found["at_most"] is not None:
        ends.append(text(f"{found['at_most']}일", f"{found['at_most']} days"))
    cohort = found["until"] == "cohort"
    ends.append(
        text("코호트 기간의 끝", "the end of the time in the cohort")
        if cohort
        else text("관찰기간의 끝", "the end of observation")
    )
    ko, en = ", ".join(each["ko"] for each in ends), ", ".join(each["en"] for each in ends)
    if found["kind"] == "follow_up":
        return text(
            f"{when['ko']} {what['ko']}까지의 추적 일수 (그 밖의 종료: {ko})",
            f"days of follow-up until {what['en']} {when['en']}, or {en}",
        )
    return text(
        f"추적이 {when['ko']} {what['ko']}(으)로 끝났는지 여부 (그 밖의 종료: {ko})",
        f"whether follow-up ended with {what['en']} {when['en']}, and not with {en}",
    )


def event(found: dict, names: Names) -> Text:
    """An event and its concepts by name and number."""
    kind = EVENTS.get(found["event"], text(found["event"], found["event"]))
    concepts = found.get("concepts") or []
    if not concepts:
        return text(f"{kind['ko']}(전체)", f"any {kind['en']}")
    below = found.get("descendants")
    ko = ", ".join(_concept(concept, names, "ko") for concept in concepts) + (" 및 하위 개념" if below else "")
    en = ", ".join(_concept(concept, names, "en") for concept in concepts) + (" and descendants" if below else "")
    return text(f"{kind['ko']} [{ko}]", f"{kind['en']} [{en}]")


def window(found: dict | None) -> Text:
    """A window in days from the entry date; null is open."""
    start, end = (found or {}).get("from_days"), (found or {}).get("to_days")
    if start is None and end is None:
        return text("전체 기간의", "at any time")
    if start is None:
        return text(f"진입일 {_day(end, 'ko')}까지의", f"up to {_day(end, 'en')}")
    if end is None:
        return text(f"진입일 {_day(start, 'ko')}부터의", f"from {_day(start, 'en')} on")
    return text(
        f"진입일 {_day(start, 'ko')}부터 {_day(end, 'ko')}까지의",
        f"from {_day(start, 'en')} to {_day(end, 'en')}",
    )


def _criterion(rule: dict, names: Names, verdict: Text) -> Text:
    what, when = event(rule, names), window(rule.get("window"))
    least = rule.get("at_least") or 1
    ko, en = (f" {least}회 이상", f", {least} times or more,") if least > 1 else ("", "")
    sentence = f"{what['en']} {when['en']}{en} {verdict['en']}."
    return text(f"{when['ko']} {what['ko']} 기록이{ko} {verdict['ko']}.", sentence[:1].upper() + sentence[1:])


def _ages(age: dict) -> Text | None:
    low, high = age.get("min"), age.get("max")
    if low is None and high is None:
        return None
    ko = " ".join([f"만 {low}세 이상"] * (low is not None) + [f"{high}세 이하"] * (high is not None))
    en = " and ".join([f"at least {low}"] * (low is not None) + [f"at most {high}"] * (high is not None))
    return text(f"진입일에 {ko}.", f"Aged {en} on the entry date.")


def _day(days: int | None, language: str) -> str:
    days = days or 0
    if language == "ko":
        return "당일" if days == 0 else f"{abs(days)}일 {'전' if days < 0 else '후'}"
    count = "1 day" if abs(days) == 1 else f"{abs(days)} days"
    return "the day of entry" if days == 0 else f"{count} {'before' if days < 0 else 'after'} entry"


def _concept(concept: int, names: Names, language: str) -> str:
    name = names.get(concept)
    label = name.get(language) or name.get("en") if isinstance(name, Mapping) else name
    return f"{label} ({concept})" if label else str(concept)
