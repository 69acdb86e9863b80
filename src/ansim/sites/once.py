"""Acts that programs may safely repeat: the same Idempotency-Key from the same person has one effect and one answer.

A client whose connection breaks cannot know whether its act was recorded. It sends the act again with the same key: if
it was recorded, the answer from then comes back. The act and its answer are kept in one transaction, so a crash leaves
both or neither. (Draft: IETF httpapi "The Idempotency-Key HTTP Header Field".)
"""

from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_only_middleware

from ansim.sites import clock
from ansim.sites.store.models import Record
from ansim.sites.store.worker import beat

KIND = "once"
KEPT = timedelta(days=1)


@sync_only_middleware
def once(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware, after authentication: one effect for each (person, Idempotency-Key)."""

    def answer(request: HttpRequest) -> HttpResponse:
        token = request.headers.get("idempotency-key", "")
        if request.method != "POST" or not token or len(token) > 100 or not request.user.is_authenticated:
            return get_response(request)
        key = f"{request.user.get_username()}:{token}"
        with transaction.atomic():
            found = Record.objects.select_for_update().filter(kind=KIND, key=key).first()
            if found:
                return HttpResponse(found.data["body"], status=found.data["status"], content_type=found.data["type"])
            response = get_response(request)
            if response.status_code >= 400:  # refused: nothing of it stays, and it may be tried again
                transaction.set_rollback(True)
                return response
            Record.objects.create(
                kind=KIND,
                key=key,
                status="kept",
                updated=clock.iso(clock.now()),
                data={
                    "body": response.content.decode("utf-8", "replace"),
                    "status": response.status_code,
                    "type": response.headers.get("Content-Type", "application/json"),
                },
            )
        return response

    return answer


@beat("once", lambda: 3600.0)
def _forget() -> None:
    Record.objects.filter(kind=KIND, updated__lt=clock.iso(clock.now() - KEPT)).delete()
