"""A query in plain Korean or English, for people who decide on it: boards, signatories, participants."""

from collections.abc import Mapping

from ansim.errors import N_, Problem
from ansim.research.cohort.definition.explain import explain as explain_definition
from ansim.research.cohort.definition.model import Definition
from ansim.research.cohort.query import Cohort, Criterion, Events, Query, Variable, Window

WORDS = {
    "en": {
        "who": "Who",
        "first": "people on the day of their first {events} in the period",
        "any": "people on the earliest day with {events} on which everything below holds",
        "age": "Age on that day: {range}",
        "sex": "Sex: {sexes}",
        "F": "women",
        "M": "men",
        "require": "With {count}{events}, {window}",
        "exclude": "Without {count}{events}, {window}",
        "count": "at least {n} of: ",
        "variables": "What is read about each",
        "period": "Period: {first} to {last}; nothing outside it is read",
        "every": "any {event}",
        "some": "{event} ({concepts})",
        "below": "{event} ({concepts}, with narrower concepts)",
        "concept": "concept {id}",
        "years": "{low} to {high} years",
        "from": "from {low} years",
        "to": "up to {high} years",
        "always": "at any time in the period",
        "same": "on the entry day",
        "window": "from {start} to {end}",
        "before": "{n} days before entry",
        "after": "{n} days after entry",
        "entry": "the entry day",
        "open_start": "the start of the period",
        "open_end": "the end of the period",
        "v_sex": "sex",
        "v_age": "age in years on the entry day",
        "v_age_band": "age in bands of {width} years",
        "v_flag": "whether there is {events}, {window}",
        "v_count": "how many times {events}, {window}",
        "v_value": "the {pick} number of {events}, {window}",
        "v_days": "days from entry to the first of {events}, {window}",
        "v_follow_up": "days of follow-up, until {events} ({window}){ends}",
        "v_reached": "whether follow-up ended with {events} ({window}){ends}",
        "until_observation": ", or the end of observation",
        "until_cohort": ", or the end of the time in the cohort",
        "at_most": ", or {n} days",
        "censor": ", or {events}",
        "nobody": "nothing beyond their number",
        "p_first": "first",
        "p_last": "last",
        "p_min": "lowest",
        "p_max": "highest",
        "p_mean": "mean",
        "p_sum": "summed",
        "condition": "diagnosis",
        "drug": "drug",
        "measurement": "measurement",
        "procedure": "procedure",
        "observation": "observation",
        "visit": "visit",
        "device": "device",
        "death": "death",
        "cost": "cost",
    },
    "ko": {
        "who": "대상",
        "first": "기간 안에 처음으로 {events} 기록이 있는 사람 (그날이 기준일)",
        "any": "{events} 기록이 있고 아래 조건을 모두 만족하는 가장 이른 날이 있는 사람 (그날이 기준일)",
        "age": "기준일 나이: {range}",
        "sex": "성별: {sexes}",
        "F": "여성",
        "M": "남성",
        "require": "포함 조건: {events} 기록이 {count}있음 ({window})",
        "exclude": "제외 조건: {events} 기록이 {count}있음 ({window})",
        "count": "{n}회 이상 ",
        "variables": "사람마다 읽는 항목",
        "period": "기간: {first}부터 {last}까지, 그 밖의 기록은 읽지 않음",
        "every": "모든 {event}",
        "some": "{event}({concepts})",
        "below": "{event}({concepts}, 하위 개념 포함)",
        "concept": "개념 {id}",
        "years": "{low}세 이상 {high}세 이하",
        "from": "{low}세 이상",
        "to": "{high}세 이하",
        "always": "기간 중 언제든지",
        "same": "기준일 당일",
        "window": "{start}부터 {end}까지",
        "before": "기준일 {n}일 전",
        "after": "기준일 {n}일 후",
        "entry": "기준일",
        "open_start": "기간 시작",
        "open_end": "기간 끝",
        "v_sex": "성별",
        "v_age": "기준일의 만 나이",
        "v_age_band": "{width}세 단위 나이대",
        "v_flag": "{events} 기록 여부 ({window})",
        "v_count": "{events} 기록 횟수 ({window})",
        "v_value": "{events}의 {pick} 값 ({window})",
        "v_days": "진입일부터 {events} 기록이 {window} 처음 있기까지의 일수",
        "v_follow_up": "추적 일수: {events} 기록({window}){ends}까지",
        "v_reached": "추적이 {events} 기록({window})으로 끝났는지 여부 (그 밖의 종료: {ends})",
        "until_observation": ", 관찰기간의 끝",
        "until_cohort": ", 코호트 기간의 끝",
        "at_most": ", {n}일",
        "censor": ", {events} 기록",
        "nobody": "사람 수 외에는 없음",
        "p_first": "첫",
        "p_last": "마지막",
        "p_min": "가장 낮은",
        "p_max": "가장 높은",
        "p_mean": "평균",
        "p_sum": "합계",
        "condition": "진단",
        "drug": "의약품",
        "measurement": "검사",
        "procedure": "처치",
        "observation": "관찰",
        "visit": "방문",
        "device": "의료기기",
        "death": "사망",
        "cost": "비용",
    },
}


def explain(query: Query, language: str, names: Mapping[int, str] | None = None) -> str:
    """The query as lines of plain text in "ko" or "en". names: concept ids with names to show; others by number."""
    if language not in WORDS:
        raise Problem("no-language", N_("Texts are there in Korean (ko) and English (en)."), where="language")
    return "\n".join(_Teller(WORDS[language], names or {}).lines(query, language))


class _Teller:
    def __init__(self, words: dict[str, str], names: Mapping[int, str]):
        self.words, self.names = words, names

    def lines(self, query: Query, language: str) -> list[str]:
        lines = [query.korean if language == "ko" else query.english]
        if isinstance(query.cohort, Definition):
            lines += explain_definition(query.cohort, language).splitlines()
        else:
            lines += self.cohort(query.cohort)
        lines.append(self.say("period", first=query.period.first.isoformat(), last=query.period.last.isoformat()))
        if not query.variables:
            return [*lines, f"{self.words['variables']}: {self.words['nobody']}"]
        lines.append(f"{self.words['variables']}:")
        return lines + [f"- {variable.name}: {self.variable(variable)}" for variable in query.variables]

    def cohort(self, cohort: Cohort) -> list[str]:
        lines = []
        lines.append(f"{self.words['who']}: " + self.say(cohort.entry.which, events=self.events(cohort.entry)))
        if cohort.age.min is not None or cohort.age.max is not None:
            lines.append("- " + self.say("age", range=self.ages(cohort.age.min, cohort.age.max)))
        if cohort.sex is not None:
            lines.append("- " + self.say("sex", sexes=", ".join(self.words[sex] for sex in cohort.sex)))
        lines += [f"- {self.criterion('require', criterion)}" for criterion in cohort.require]
        return lines + [f"- {self.criterion('exclude', criterion)}" for criterion in cohort.exclude]

    def say(self, key: str, **facts: object) -> str:
        return self.words[key].format(**facts)

    def events(self, events: Events) -> str:
        event = self.words[events.event]
        if not events.concepts:
            return self.say("every", event=event)
        concepts = ", ".join(self.names.get(concept) or self.say("concept", id=concept) for concept in events.concepts)
        return self.say("below" if events.descendants else "some", event=event, concepts=concepts)

    def criterion(self, part: str, criterion: Criterion) -> str:
        count = self.say("count", n=criterion.at_least) if criterion.at_least > 1 else ""
        return self.say(part, count=count, events=self.events(criterion), window=self.window(criterion.window))

    def variable(self, variable: Variable) -> str:
        facts: dict[str, object] = {"width": variable.width}
        if variable.events is not None and variable.window is not None:
            facts |= {"events": self.events(variable.events), "window": self.window(variable.window)}
        if variable.until is not None:
            facts["ends"] = self.ends(variable)
        if variable.pick is not None:
            facts["pick"] = self.words[f"p_{variable.pick}"]
        return self.say(f"v_{variable.kind}", **facts)

    def ends(self, variable: Variable) -> str:
        """What else ends the follow-up."""
        found = [self.say("censor", events=self.events(events)) for events in variable.censor or ()]
        found += [self.say("at_most", n=variable.at_most)] if variable.at_most is not None else []
        return "".join([*found, self.words[f"until_{variable.until}"]])

    def ages(self, low: int | None, high: int | None) -> str:
        key = "years" if low is not None and high is not None else "from" if low is not None else "to"
        return self.say(key, low=low, high=high)

    def window(self, window: Window) -> str:
        if window == Window():
            return self.words["always"]
        if window == Window(0, 0):
            return self.words["same"]
        return self.say(
            "window", start=self.day(window.from_days, "open_start"), end=self.day(window.to_days, "open_end")
        )

    def day(self, days: int | None, unbounded: str) -> str:
        if days is None:
            return self.words[unbounded]
        if days == 0:
            return self.words["entry"]
        return self.say("before" if days < 0 else "after", n=abs(days))
