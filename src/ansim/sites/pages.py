"""One surface for people and programs: every page is also JSON, every act also takes JSON.

A view returns a `Page` (what it shows, as parts, and the same facts as `data`) or, for an act, `Done` (where to go and
what was recorded). A request with `Accept: application/json` gets the data; a browser gets the page. So
`ansim journey`, the client and the pages go through the same code and the same checks.
"""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem, Problems
from ansim.sites import people
from ansim.sites import takes as takes_
from ansim.sites.config import site
from ansim.sites.exchange import signed
from ansim.sites.fitness import Unfit, machine_fault, restoring
from ansim.sites.takes import Takes
from ansim.sites.web.formats import phrase
from ansim.sites.web.forms import Form, form_schema
from ansim.sites.web.problems import problem_lines


@dataclass(frozen=True)
class FormPart:
    """A form on a page: where it goes, what its button says. `danger` marks an act that cannot be undone."""

    form: Form | None
    url: str
    submit: Any
    values: Mapping[str, str] = field(default_factory=dict)
    danger: bool = False
    text: Any = ""
    method: str = "post"  # get: a question that changes nothing, with its answers in the address


@dataclass(frozen=True)
class Timeline:
    moments: Sequence[Any]


@dataclass(frozen=True)
class Empty:
    title: Any
    text: Any = ""
    action: Any = None


@dataclass(frozen=True)
class Notice:
    text: Any
    tone: str = "info"


@dataclass(frozen=True)
class Text:
    """Paragraphs, or preformatted text (a log, a document) when `pre`."""

    text: Any
    pre: bool = False


@dataclass(frozen=True)
class Section:
    """A heading and its items: lists of Fact, Table, Figure, Timeline, Progress, FormPart, Empty, Notice, Text."""

    title: Any
    items: Sequence[Any]


@dataclass(frozen=True)
class Page:
    """A page. `data` is what a program gets; it names no more than the page shows."""

    title: Any
    sections: Sequence[Section] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    answer: Any = None
    lead: Any = ""
    over: Any = ""
    trail: Sequence[Any] = ()
    status: int = 200
    template: str = "web/page.html"
    shown: Mapping[str, Any] = field(default_factory=dict)  # what only the template needs: forms, pages of a list
    refresh: int = 0  # seconds after which a browser asks again; only for who asked for a live page


@dataclass(frozen=True)
class Done:
    """An act was recorded: where to go next, what to say, and what a program gets."""

    to: str
    message: Any = ""
    data: Mapping[str, Any] = field(default_factory=dict)


def wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("accept", "")


def given(request: HttpRequest) -> dict[str, Any]:
    """What was sent: form fields, or a JSON object. A form's repeated field becomes a list."""
    if request.content_type == "application/json":
        try:
            body = signed.loads(request.body or b"{}")
        except ValueError as error:
            raise Problem("bad-json", N_("The request is not JSON: {error}."), error=str(error)) from error
        if not isinstance(body, dict):
            raise Problem("bad-json", N_("The request is not a JSON object."))
        return _plain(body)
    return _plain(
        {
            key: (values if len(values) > 1 else values[0])
            for key, values in request.POST.lists()
            if key != "csrfmiddlewaretoken"
        }
    )


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The values, when every text in them is one that can be kept and shown."""
    for name, value in values.items():
        if what := takes_.strange(name) or takes_.strange(value):
            raise Problem(
                "bad-text",
                N_("The text holds {what}, which cannot be kept."),
                where=name if not takes_.strange(name) else "",
                what=what,
                remedy=N_("Take it out and send it again."),
            )
    return values


def needed(values: Mapping[str, Any], *names: str) -> list[Any]:
    """These values, none of them missing or blank."""
    missing = [name for name in names if takes_.missing(values.get(name))]
    if missing:
        raise Problems([Problem("missing", N_("Please fill in this field."), where=name) for name in missing])
    return [values[name] for name in names]


ENROLMENT = "/account/second-factor/"
CONFIRM = N_("Confirm at /step-up/ in another window that it is you, then send this form again.")


@dataclass(frozen=True)
class Declared:
    """What a view says of itself, for whoever describes this site to programs (openapi.py)."""

    act: bool
    roles: tuple[str, ...] = ()
    public: bool = False
    step_up: bool = False
    takes: Takes | None = None
    form: type | None = None


def page(
    *roles: str, public: bool = False, form: type | None = None, takes: Takes | None = None, step_up: bool = False
) -> Callable:
    """A page that these roles may see (none named: anyone signed in; public: anyone).

    form: what it shows and takes, when it is a form on a page of its own; takes: what programs send instead of it;
    step_up: its form is an act that binds, so it asks for a fresh proof of identity first (`form_page` does the rest).
    """

    def declare(view: Callable[..., Page | HttpResponse]) -> Callable[..., HttpResponse]:
        @functools.wraps(view)
        def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not public and (stop := _not_allowed(request, roles)):
                return stop
            _plain({**kwargs, **request.GET.dict()})
            if step_up and not people.stepped_up(request) and not (request.method == "GET" and wants_json(request)):
                if request.method != "POST" or wants_json(request):
                    return _confirm_first(request, request.get_full_path())
                request.unconfirmed = True  # type: ignore[attr-defined]  # what was typed stays on the page
            found = view(request, *args, **kwargs)
            return _show(request, found) if isinstance(found, Page) else found

        shown.declared = Declared(False, roles, public, step_up, takes, form)  # type: ignore[attr-defined]
        return shown

    return declare


def act(*roles: str, step_up: bool = False, takes: Takes | None = None) -> Callable:
    """An act (POST) that these roles may do; step_up: only with a fresh proof of identity; takes: its fields."""

    def declare(view: Callable[..., Done | Page | HttpResponse]) -> Callable[..., HttpResponse]:
        @functools.wraps(view)
        def done(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method != "POST":
                return HttpResponse(status=405, headers={"Allow": "POST"})
            if stop := _not_allowed(request, roles):
                return stop
            if step_up and not people.stepped_up(request):
                return _confirm_first(request, _came_from(request))
            _plain(kwargs)
            if takes is not None:
                takes_.check(takes, given(request))
            return _finish(request, view(request, *args, **kwargs))

        done.declared = Declared(True, roles, False, step_up, takes)  # type: ignore[attr-defined]
        return done

    return declare


def _confirm_first(request: HttpRequest, then: str) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"code": "step-up", "message": gettext("Confirm that it is you.")}, status=403)
    messages.info(request, gettext("Confirm that it is you, then do it again."))
    return redirect(f"/step-up/?{urlencode({'next': then})}")


def page_and_act(shown: Callable, done: Callable) -> Callable:
    """One address with a page to look at and an act to do."""

    def either(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return (done if request.method == "POST" else shown)(request, *args, **kwargs)

    either.both = (shown, done)  # type: ignore[attr-defined]
    return either


def form_page(
    request: HttpRequest, form_class: type, title: Any, on_valid: Callable[[dict], Done], **context: Any
) -> HttpResponse:
    """A form on a page of its own; a wrong entry keeps what was typed and says how to mend it."""
    initial = context.pop("initial", None)
    if request.method != "POST":
        if wants_json(request):
            return JsonResponse({"title": str(phrase(title)), "takes": form_schema(form_class(initial=initial))})
        return render(
            request,
            context.pop("template", "web/form.html"),
            {"title": title, "form": form_class(initial=initial), **context},
        )
    form = form_class(
        request.POST if request.content_type != "application/json" else as_query(given(request)), request.FILES or None
    )
    problem = None
    if form.is_valid():
        try:
            if getattr(request, "unconfirmed", False):
                raise Problem("step-up", N_("More than ten minutes have passed."), remedy=CONFIRM)
            return _finish(request, on_valid(form.cleaned_data))
        except Problem as found:
            problem = found
    if wants_json(request):
        errors = [{"where": name, "message": str(text)} for name, texts in form.errors.items() for text in texts]
        return JsonResponse(problem.as_data() if problem else {"code": "problems", "problems": errors}, status=400)
    template = context.pop("template", "web/form.html")
    return render(request, template, {"title": title, "form": form, "problem": problem, **context}, status=422)


def as_query(values: dict) -> Any:
    from django.http import QueryDict

    query = QueryDict(mutable=True)
    for key, value in values.items():
        query.setlist(key, value if isinstance(value, list) else [value])
    return query


def _finish(request: HttpRequest, found: Done | Page | HttpResponse) -> HttpResponse:
    if isinstance(found, Page):
        return _show(request, found)
    if isinstance(found, HttpResponse):
        return found
    if wants_json(request):
        return JsonResponse({"to": found.to, "message": str(found.message), **found.data})
    if found.message:
        messages.success(request, found.message)
    return redirect(found.to)


def _show(request: HttpRequest, found: Page) -> HttpResponse:
    if wants_json(request):
        return JsonResponse(dict(found.data), status=found.status)
    problem = request.session.pop("problem", None) if request.session.session_key else None
    context = {name: getattr(found, name) for name in ("title", "sections", "answer", "lead", "over", "trail")}
    response = render(
        request, found.template, {**context, "problems": problem, **found.data, **found.shown}, status=found.status
    )
    if found.refresh:
        response["Refresh"] = str(found.refresh)
    return response


def _not_allowed(request: HttpRequest, roles: Sequence[str]) -> HttpResponse | None:
    if not request.user.is_authenticated:
        if wants_json(request):
            return JsonResponse({"code": "sign-in", "message": gettext("Sign in first.")}, status=401)
        return redirect(f"/sign-in/?{urlencode({'next': request.get_full_path()})}")
    if request.session.get("enrol") and not request.path.startswith((ENROLMENT, "/sign-out/")):
        if wants_json(request):
            words = gettext("Set up a second factor first.")
            return JsonResponse({"code": "enrol", "message": words, "to": ENROLMENT}, status=403)
        return redirect(ENROLMENT)
    if roles and not people.roles(request.user) & set(roles):
        if wants_json(request):
            return JsonResponse(
                {"code": "not-allowed", "message": gettext("Your role does not allow this.")}, status=403
            )
        return render(request, "403.html", {"title": _("Not allowed")}, status=403)
    return None


log = logging.getLogger("ansim.pages")
HOW_IT_IS = ("/health/", "/ready/", "/metrics", "/operations/", "/sign-in/", "/sign-out/", "/static/", "/language")


class ProblemMiddleware:
    """A rule's refusal becomes words: JSON for programs, an error summary on the page one came from for people."""

    def __init__(self, get_response: Callable):
        self.get_response = get_response
        import asyncio

        self._is_async = asyncio.iscoroutinefunction(get_response)
        if self._is_async:
            from asgiref.sync import markcoroutinefunction

            markcoroutinefunction(self)

    sync_capable = async_capable = True

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponse | None:
        """A site that was restored and is not agreed with yet answers nothing but how it is."""
        if not restoring(site().folder) or request.path.startswith(HOW_IT_IS):
            return None
        text = N_(
            "This site was restored from a backup. It answers once the other sites agree that nothing is missing."
        )
        return self.process_exception(request, Unfit("restored", text))

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if fault := machine_fault(error):
            log.error("%s could not be answered: %s", request.path, fault)
            error = Unfit("machine-fault", N_("This site cannot do that just now, and nothing was recorded."))
            error.remedy = N_("Try again in a few minutes; whoever runs the site is told.")
            connection.close()
        if not isinstance(error, Problem):
            return None
        status = 503 if isinstance(error, Unfit) else 400
        request.problem = error  # type: ignore[attr-defined]
        if wants_json(request):
            return JsonResponse({**error.as_data(), "lines": problem_lines(error)}, status=status)
        if request.method == "POST" and request.headers.get("referer") and error.code != "machine-fault":
            request.session["problem"] = problem_lines(error)
            return redirect(_came_from(request))
        return _show(
            request,
            Page(
                _("This cannot be done"),
                [Section("", [Notice(line["text"], "danger")]) for line in problem_lines(error)],
                status=status,
            ),
        )


def _came_from(request: HttpRequest) -> str:
    """The page of this site that the request came from; never another site."""
    from django.utils.http import url_has_allowed_host_and_scheme

    back = request.headers.get("referer", "/")
    return back if url_has_allowed_host_and_scheme(back, {request.get_host()}) else "/"
