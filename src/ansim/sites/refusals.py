"""An attempt at what must stay in two persons' hands: nothing of it is done, but that it was tried is on the ledger."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_only_middleware

from ansim.sites.store import ledger

NOTED = {"roles-not-apart"}  # governance.separations


@sync_only_middleware
def noted(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware around `once`, whose transaction takes back what the refused act had begun."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        problem = getattr(request, "problem", None)  # left there by ProblemMiddleware
        if problem is not None and problem.code in NOTED:
            by = request.user.get_username()
            ledger.note(
                "acts", "act.refused", actor=by, by=by, reason=problem.code, message=str(problem), where=request.path
            )
        return response

    return answer
