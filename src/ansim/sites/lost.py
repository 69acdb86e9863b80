"""What Django answers by itself (no such page, a request that cannot be read, an expired form), also for programs."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views import csrf, defaults

from ansim.sites.pages import wants_json


def _or_page(code: str, status: int, words: object, page: Callable) -> Callable[..., HttpResponse]:
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if wants_json(request):
            return JsonResponse({"code": code, "where": "", "message": gettext(str(words))}, status=status)
        return page(request, *args, **kwargs)

    return answer


nowhere = _or_page("not-found", 404, _("This page does not exist"), defaults.page_not_found)
unreadable = _or_page(
    "unreadable",
    400,
    _("The request cannot be read, or is larger than 64 MB. Nothing was saved."),
    defaults.bad_request,
)
broken = _or_page("broken", 500, _("Something went wrong at this site. Nothing was saved."), defaults.server_error)
expired = _or_page(
    "expired", 403, _("The X-CSRFToken header is missing or old. Sign in and send it again."), csrf.csrf_failure
)
