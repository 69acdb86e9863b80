"""Codes in words: states, offices, modes, purposes, areas and names of sites, the same on every site's pages."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _

from ansim.governance import areas
from ansim.research.analysis import methods
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
    "meeting": Tag(_("Minutes to be confirmed"), "info"),
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
TIER_REASONS = {
    "own": _("The institution itself uses the data: begins low"),
    "third-party-controlled": _("Others use them in a controlled space: begins medium"),
    "third-party-elsewhere": _("Others use them elsewhere: begins high"),
    "sensitive": _("Sensitive information: raised one step"),
    "peculiar": _("Unique identifying information: raised one step"),
    "unstructured": _("Unstructured data: raised one step"),
    "repeat": _("Repeated case with the same conditions: lowered one step"),
    "designated_body": _("In the care of a designated body: lowered one step"),
}
SPECIAL = {
    "mental-illness": _("Mental illness"),
    "aids": _("HIV and AIDS"),
    "sexually-transmitted": _("Sexually transmitted diseases"),
    "rare-disease": _("Rare diseases"),
    "abuse-abortion": _("Abuse and abortion"),
}
JOB: dict[str, Tag] = {
    "queued": Tag(_("Waiting"), "info"),
    "leased": Tag(_("Running"), "info"),
    "dead": Tag(_("Failed for good"), "danger"),
}
CERTAINTY: dict[str, Tag] = {  # governance.rules.TAGS
    "V": Tag(_("Text read"), "success"),
    "S": Tag(_("From secondary sources"), "info"),
    "R": Tag(_("To be checked"), "warning"),
}
IRB: dict[str, Tag] = {
    "approved": Tag(_("Approved"), "success"),
    "exempt": Tag(_("Exempt"), "success"),
    "rejected": Tag(_("Not approved"), "danger"),
    "suspended": Tag(_("Suspended"), "danger"),
}
MODES = {
    "federated": _("Federated: questions travel"),
    "centre": _("In the centre"),
    "extract": _("Extract to the centre"),
}
METHODS = {name: _(each.title) for name, each in methods.METHODS.items()} | {"extract": _("Data extract")}
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
EXTRACT: dict[str, Tag] = {
    "waiting": Tag(_("Waiting for the operator"), "info"),
    "blocked": Tag(_("Special category, blocked"), "danger"),
    "running": Tag(_("Being made"), "info"),
    "failed": Tag(_("Could not be made"), "danger"),
    "in review": Tag(_("Under adequacy review"), "info"),
    "not adequate": Tag(_("Not adequate"), "warning"),
    "leaving": Tag(_("Being sent"), "info"),
    "stopped": Tag(_("Stopped before it left"), "danger"),
    "sent": Tag(_("Sent to the centre"), "success"),
}
EXTRACT_NEXT = {
    "waiting": _("Pseudonymisation operator"),
    "failed": _("Pseudonymisation operator"),
    "not adequate": _("Pseudonymisation operator"),
    "stopped": _("Data steward"),
    "blocked": _("Privacy officer"),
    "in review": _("Adequacy reviewer"),
}
LINKAGE: dict[str, Tag] = {
    "waiting": Tag(_("Waiting for keys"), "info"),
    "matching": Tag(_("Matching"), "info"),
    "sent": Tag(_("Pairs sent, keys deleted"), "success"),
    "refused": Tag(_("Refused, keys deleted"), "danger"),
    "over": Tag(_("Agreement over, keys deleted"), "neutral"),
}
KEY_KINDS = {
    "name-birth-sex-phone": _("Name, birth date, sex and phone"),
    "birth-sex-phone": _("Birth date, sex and phone"),
    "name-birth-phone": _("Name, birth date and phone"),
    "name-sex-phone": _("Name, sex and phone"),
    "name-birth-sex": _("Name, birth date and sex"),
}
WORKSPACE: dict[str, Tag] = {
    "waiting": Tag(_("Waiting for data"), "info"),
    "federated": Tag(_("Federated analyses only"), "success"),
    "held": Tag(_("Held for the export review"), "warning"),
    "open": Tag(_("Open"), "success"),
    "refused": Tag(_("Refused in the export review"), "danger"),
    "closed": Tag(_("Closed and destroyed"), "neutral"),
}
RUN: dict[str, Tag] = {
    "queued": Tag(_("Waiting to run"), "info"),
    "done": Tag(_("Done"), "success"),
    "failed": Tag(_("Failed"), "danger"),
    "timeout": Tag(_("Stopped at the time limit"), "danger"),
    "cancelled": Tag(_("Stopped"), "warning"),
    "refused": Tag(_("Refused"), "danger"),
}
OUTPUT: dict[str, Tag] = {
    "submitted": Tag(_("Being checked by the machine"), "info"),
    "checking": Tag(_("Waiting for the checkers"), "warning"),
    "disputed": Tag(_("Checkers differ"), "warning"),
    "agreed": Tag(_("Both checkers agree"), "info"),
    "exportable": Tag(_("Being released"), "info"),
    "released": Tag(_("Released"), "success"),
    "refused": Tag(_("Refused"), "danger"),
    "withdrawn": Tag(_("Withdrawn"), "neutral"),
    "revoked": Tag(_("Taken back"), "danger"),
}
FEDERATED: dict[str, Tag] = {
    "running": Tag(_("Running"), "info"),
    "finishing": Tag(_("Result is being made"), "info"),
    "checking": Tag(_("In the output check"), "warning"),
    "released": Tag(_("Released"), "success"),
    "refused": Tag(_("Refused"), "danger"),
    "failed": Tag(_("Ended without a result"), "danger"),
}
ADVICE: dict[str, Tag] = {
    "asked": Tag(_("Waits for an adviser"), "info"),
    "assigned": Tag(_("Adviser asked about conflicts"), "info"),
    "working": Tag(_("Adviser is at work"), "info"),
    "answered": Tag(_("Advice given"), "warning"),
    "taken": Tag(_("Advice taken"), "success"),
    "declined": Tag(_("Advice declined"), "neutral"),
    "closed": Tag(_("Closed"), "neutral"),
}
ADVICE_OFFICES = {"coordinator": _("National coordinator"), "adviser": _("Adviser"), "owner": _("The hospital")}
ADVICE_OBJECTS = {
    "cohort": _("Patient group"),
    "variables": _("List of variables"),
    "pseudonymisation plan": _("Pseudonymisation plan"),
    "output": _("Output"),
    "linkage": _("Linkage"),
    "other": _("Something else"),
}
ADVICE_FIELDS = {
    "law": _("Law"),
    "statistics": _("Statistics"),
    "de-identification": _("De-identification"),
    "linkage": _("Linkage"),
    "clinical": _("Clinical questions"),
    "security": _("Security"),
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


def named(site_id: str) -> str:
    """The same in the reader's language, for a place inside a text."""
    return phrase(called(site_id))


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
