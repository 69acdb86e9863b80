"""What somebody should know of: looked for each minute, mailed once when it begins and once when it is over."""

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext

from ansim.errors import N_
from ansim.sites import clock, mail
from ansim.sites.config import site
from ansim.sites.operate import state
from ansim.sites.store import ledger
from ansim.sites.store.models import Record
from ansim.sites.store.worker import beat

LAG_SECONDS = 900  # a job that is due for so long
UNWITNESSED = 500  # entries that nobody cosigned
SOON_DAYS = 14
BACKUP_HOURS = 50  # a nightly backup that failed twice
TROUBLE = {
    "unfit": N_("The site does not act"),
    "dead": N_("Jobs or messages have failed for good"),
    "lag": N_("Jobs wait too long"),
    "unwitnessed": N_("Nobody witnesses the ledger any more"),
    "ending": N_("Something is about to end"),
    "backup": N_("The last backup is too old"),
    "disk": N_("The disk is nearly full"),
}


def troubles(found: state.State) -> dict[str, str]:
    """{kind: what exactly}, of what a person should see to."""
    soon = state.due_within(found, SOON_DAYS)
    said = {
        "unfit": ", ".join(found.unfit),
        "dead": str(found.dead) if found.dead else "",
        "lag": f"{found.lag:.0f} s" if found.lag > LAG_SECONDS else "",
        "unwitnessed": str(found.entries - found.witnessed) if found.entries - found.witnessed > UNWITNESSED else "",
        "ending": ", ".join(f"{_what(name)} {end:%Y-%m-%d}" for name, end in soon.items()),
        "backup": "",
        "disk": f"{found.disk_free / 1e9:.1f} GB" if found.disk_free < 4 * state.RESERVE else "",
    }
    if found.backup and (found.now - found.backup).total_seconds() > BACKUP_HOURS * 3600:
        said["backup"] = f"{found.backup:%Y-%m-%d %H:%M}"
    return {kind: detail for kind, detail in said.items() if detail}


def _what(name: str) -> str:
    return name.replace("members:", "members ")


def look() -> None:
    """Compare with what was told, and tell the difference. A trouble is told when it is seen twice in a row."""
    now = troubles(state.gather())
    held = dict(Record.objects.filter(kind="trouble").values_list("key", "status"))
    for kind, detail in now.items():
        if kind not in held:
            ledger.record("trouble", kind, {"detail": detail}, status="seen")
        elif held[kind] == "seen":
            _tell(kind, detail, "told")
    for kind in sorted(set(held) - set(now)):
        _tell(kind, "", "over" if held[kind] == "told" else "")


def _tell(kind: str, detail: str, how: str) -> None:
    with transaction.atomic():
        if how == "told":
            ledger.record("trouble", kind, {"detail": detail}, status="told")
        else:
            Record.objects.filter(kind="trouble", key=kind).delete()
        if how:
            words = "\n".join(_said(kind, how, language) for language in ("ko", "en"))
            text = f"{words}\n{detail}\n\n{site().url}/operations/\n"
            key = f"{kind}:{how}:{clock.iso(clock.now())}"
            mail.send(key, to=list(site().mail.get("to", ())), subject=_said(kind, how, "ko"), text=text)


def _said(kind: str, how: str, language: str) -> str:
    with translation.override(language):
        words = gettext(TROUBLE[kind])
        return words if how == "told" else gettext("Over: {trouble}").format(trouble=words)


@beat("watch", lambda: 60.0)
def _look() -> None:
    look()
