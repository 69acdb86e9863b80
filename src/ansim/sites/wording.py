"""Codes in words: states, offices, modes, purposes, areas and names of sites, the same on every site's pages."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _

from ansim.governance import areas
from ansim.sites.exchange import trust
from ansim.sites.web.formats import phrase
from ansim.sites.web.parts import Tag

STATUS: dict[str, Tag] = {
    "sent": Tag(_("Sent"), "info"),
    "asked": Tag(_("Waiting for the hospital's reply"), "info"),
    "replied": Tag(_("Replied"), "success"),
    "unwilling": Tag(_("Not taking part"), "neutral"),
    "received": Tag(_("Application received"), "info"),
    "screening": Tag(_("In screening"), "info"),
    "returned": Tag(_("Returned for mending"), "warning"),
    "board": Tag(_("At the board"), "info"),
    "approved": Tag(_("Approved"), "success"),
    "rejected": Tag(_("Not approved"), "danger"),
    "agreement": Tag(_("Being signed"), "info"),
    "preparing": Tag(_("Being prepared"), "info"),
    "open": Tag(_("In use"), "success"),
    "closed": Tag(_("Closed"), "neutral"),
}
APPLICATION: dict[str, Tag] = {
    "submitted": Tag(_("Sent"), "info"),
    "in review": Tag(_("In review"), "info"),
    "returned": Tag(_("Returned for mending"), "warning"),
    "decided": Tag(_("Decided"), "success"),
    "withdrawn": Tag(_("Withdrawn"), "neutral"),
    "closed": Tag(_("Closed"), "neutral"),
}
OFFICES = {
    "contact desk": _("Data steward"),
    "applicant": _("Applicant"),
    "privacy officer": _("Privacy officer"),
    "board secretary": _("Board secretary"),
    "legal": _("Legal officers of the parties"),
    "parties": _("The parties"),
    "data team": _("Data team"),
}
OUTCOMES: dict[str, Tag] = {
    "none": Tag(_("Not on the docket yet"), "neutral"),
    "docketed": Tag(_("On the docket"), "info"),
    "voting": Tag(_("Voting"), "info"),
    "approved": Tag(_("Approved"), "success"),
    "approved with conditions": Tag(_("Approved with conditions"), "warning"),
    "deferred": Tag(_("Deferred"), "warning"),
    "rejected": Tag(_("Not approved"), "danger"),
    "revoked": Tag(_("Approval taken back"), "danger"),
    "closed": Tag(_("Closed"), "neutral"),
}
TIERS: dict[str, Tag] = {
    "low": Tag(_("Low"), "success"),
    "medium": Tag(_("Medium"), "warning"),
    "high": Tag(_("High"), "danger"),
    "ask": Tag(_("Facts are missing"), "warning"),
}
MODES = {
    "federated": _("Federated: questions travel"),
    "centre": _("In the centre"),
    "extract": _("Extract to the centre"),
}
METHODS = {"table": _("Table of counts"), "logistic": _("Logistic regression"), "extract": _("Data extract")}
PURPOSES = {
    "statistics": _("Statistics"),
    "scientific research": _("Scientific research"),
    "archiving": _("Archiving in the public interest"),
}
ANSWERED: dict[str, Tag] = {
    "asked": Tag(_("Asked"), "info"),
    "refused": Tag(_("Refused"), "danger"),
    "answered": Tag(_("Answered"), "success"),
}
CHOICES = {
    "approve": _("Approve"),
    "conditions": _("Approve with conditions"),
    "defer": _("Defer"),
    "reject": _("Reject"),
}


def tag(words: Mapping[str, Tag], name: str) -> Tag:
    return words.get(name, Tag(name, "neutral"))


def called(site_id: str) -> Any:
    """A site's name from the directory, its id if it is not there."""
    known = trust.directory().sites.get(site_id)
    return known["name"] if known else site_id


def area_names(codes: list[str]) -> str:
    tree = areas.tree()
    return ", ".join(phrase(tree[code]) if code in tree else code for code in codes)


def lines(value: Any) -> list[str]:
    """A list as it came, or the filled lines of a text."""
    found = value if isinstance(value, list) else str(value or "").splitlines()
    return [str(each).strip() for each in found if str(each).strip()]


def yes(value: Any) -> bool:
    """A truth from JSON or from a form's field."""
    return value is True or str(value).lower() in {"true", "yes", "on", "1"}


def day(text: str) -> date | None:
    return date.fromisoformat(text[:10]) if text else None
