"""A researcher's day from a program: search, count, request, apply, analyse, fetch results. See docs/client.md."""

from ansim.client.desk import Desk, Job, Release, Request
from ansim.client.portal import Portal, Question
from ansim.client.session import Overdue, Refused, Session

__all__ = ["Desk", "Job", "Overdue", "Portal", "Question", "Refused", "Release", "Request", "Session"]
