"""Mail to people: short, plain, never about a person or the content of a case; it says where to look.

`[mail]` in site.toml: host, port (587), tls (true), user, password_file, sender, and to, the addresses for trouble.
Without it, mails are written to standard error and go nowhere. A mail is a job: sent once the act that causes it is
recorded, tried again while the mail server is away.
"""

import logging
from typing import Any

from django.core.mail import EmailMessage

from ansim.sites.config import site
from ansim.sites.store import jobs


class Console:
    """A backend that says what would have been sent, on standard error as a log line."""

    def __init__(self, *arguments: Any, **options: Any):
        pass

    def send_messages(self, messages: list[EmailMessage]) -> int:
        for message in messages:
            logging.getLogger("ansim.mail").warning("no mail server is set; not sent: %s", message.subject)
        return len(messages)

    def open(self) -> None: ...
    def close(self) -> None: ...


def send(key: str, *, to: list[str], subject: str, text: str) -> None:
    """Queue a mail; the same key is sent once, however often it is queued."""
    if to:
        jobs.queue("mail", key, {"to": to, "subject": subject, "text": text})


@jobs.job("mail", finish=lambda payload, result: None)
def _send(payload: dict) -> None:
    try:
        EmailMessage(f"[{site().id}] {payload['subject']}", payload["text"], to=payload["to"]).send()
    except OSError as error:  # SMTPException is one
        raise jobs.Later(60.0, f"the mail server: {type(error).__name__}") from error
