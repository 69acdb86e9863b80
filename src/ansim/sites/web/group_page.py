"""The page on which a patient group is put together from fields, shown in words and as a flow, and then used."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _

from ansim.errors import Problem
from ansim.research.cohort.written import ALWAYS, question
from ansim.sites.pages import page, wants_json
from ansim.sites.web.group_form import MOST_EVENTS, MOST_RULES, Events, GroupForm, Rules, document, rows_of
from ansim.sites.web.group_words import told, written

DRAFT = "patient-group"


def builder(*roles: str, target: str, back: str) -> Callable[..., HttpResponse]:
    """The page for these roles; what was put together goes to the form at `target`, which reads it by `draft`."""

    @page(*roles)
    def build(request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            rows = (each(prefix=prefix, initial=[{}]) for each, prefix in ((Events, "events"), (Rules, "rules")))
            return _shown(request, GroupForm(), *rows, back)
        wanted = request.POST.get("do", "look")
        given = _more(request.POST, wanted)
        group, events, rules = GroupForm(given), Events(given, prefix="events"), Rules(given, prefix="rules")
        if wanted in ("more-events", "more-rules"):  # what was typed stays as it is, and nothing is judged yet
            return _shown(request, group, events, rules, back, quiet=True)
        if not (group.is_valid() & events.is_valid() & rules.is_valid()):
            return _shown(request, group, events, rules, back, status=422)
        try:
            made = _question(group.cleaned_data, rows_of(events), rows_of(rules))
        except Problem as problem:
            return _shown(request, group, events, rules, back, status=422, problem=problem)
        if wanted == "use":
            request.session[DRAFT] = written(made)
            return redirect(f"{target}?group=1")
        return _shown(request, group, events, rules, back, made=made)

    return build


def draft(request: HttpRequest) -> dict[str, Any] | None:
    """What the form that is begun with a group starts from: its query as text."""
    return {"query": request.session[DRAFT]} if request.GET.get("group") and DRAFT in request.session else None


def _question(group: dict, events: list[dict], rules: list[dict]) -> dict:
    """The query/2 that the fields mean."""
    period = {"from": group["period_from"], "to": group["period_to"]}
    days = {key: value.isoformat() if value else ALWAYS[key] for key, value in period.items()}
    return question(document(group, events, rules), beside={"period": days}).document()


def _more(posted: QueryDict, wanted: str) -> QueryDict:
    """The posted fields, with one row more where that was asked for."""
    given = posted.copy()
    for prefix, most in (("events", MOST_EVENTS), ("rules", MOST_RULES)):
        key = f"{prefix}-TOTAL_FORMS"
        count = int(given[key]) if given.get(key, "").isdigit() else 1
        given[key] = str(min(count + (wanted == f"more-{prefix}"), most))
        given.setdefault(f"{prefix}-INITIAL_FORMS", "0")
        if wanted == f"more-{prefix}" and count < most:
            given.setdefault(f"{prefix}-{count}-descendants", "on")
    return given


def _shown(
    request: HttpRequest,
    group: GroupForm,
    events: Any,
    rules: Any,
    back: str,
    *,
    quiet: bool = False,
    status: int = 200,
    problem: Problem | None = None,
    made: dict | None = None,
) -> HttpResponse:
    if wants_json(request):
        if made is not None:
            return JsonResponse({"query": made})
        wrong = problem.as_data() if problem else {"code": "problems", "problems": _wrong(group, events, rules)}
        return JsonResponse(wrong, status=status)
    context = {
        "title": _("Put together a patient group"),
        "lead": _("Who is meant, in fields. Hospitals count; here nobody's data are."),
        "form": group,
        "events": events,
        "rules": rules,
        "quiet": quiet,
        "problem": problem,
        "back": back,
        "made": made,
        **(told(made) if made else {}),
    }
    return render(request, "web/group.html", context, status=status)


def _wrong(group: GroupForm, events: Any, rules: Any) -> list[dict]:
    forms = [group, *events.forms, *rules.forms]
    return [
        {"where": each.add_prefix(name), "message": str(text)}
        for each in forms for name, texts in each.errors.items() for text in texts
    ]  # fmt: skip
