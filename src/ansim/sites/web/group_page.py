"""The page on which a patient group is put together from fields, shown in words and as a flow, and then used."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _

from ansim.errors import Problem
from ansim.research.cohort.written import ALWAYS, question
from ansim.sites.pages import as_query, given, page, wants_json
from ansim.sites.web.forms import form_schema
from ansim.sites.web.group_form import MOST_EVENTS, MOST_RULES, Events, GroupForm, Rules, document, rows_of
from ansim.sites.web.group_words import told, written

DRAFT = "patient-group"
TITLE = _("Put together a patient group")


def builder(*roles: str, target: str, back: str) -> Callable[..., HttpResponse]:
    """The page for these roles; what was put together goes to the form at `target`, which reads it by `draft`."""

    @page(*roles, form=GroupForm)
    def build(request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            if wants_json(request):
                return JsonResponse({"title": str(TITLE), "takes": form_schema(GroupForm())})
            empty = Events(prefix="events", initial=[{}]), Rules(prefix="rules", initial=[{}])
            return _shown(request, GroupForm(), empty[0], empty[1], back)
        sent = as_query(given(request)) if request.content_type == "application/json" else request.POST
        wanted = sent.get("do", "look")
        fields = _more(sent, wanted)
        group, events, rules = GroupForm(fields), Events(fields, prefix="events"), Rules(fields, prefix="rules")
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
    fields = posted.copy()
    for prefix, most in (("events", MOST_EVENTS), ("rules", MOST_RULES)):
        key = f"{prefix}-TOTAL_FORMS"
        asked = fields.get(key, "")
        count = int(asked) if asked.isdecimal() and asked.isascii() and len(asked) < 4 else 1
        fields[key] = str(min(count + (wanted == f"more-{prefix}"), most))
        fields.setdefault(f"{prefix}-INITIAL_FORMS", "0")
        if wanted == f"more-{prefix}" and count < most:
            fields.setdefault(f"{prefix}-{count}-descendants", "on")
    return fields


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
        "title": TITLE,
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
