"""A mail to an office: to every account here that holds one of its roles and has an address, in both languages."""

from django.contrib.auth.models import User
from django.utils.translation import gettext, override

from ansim.sites import mail
from ansim.sites.config import site


def tell(roles: set[str], key: str, subject: str, text: str, path: str) -> int:
    """Queue a mail about one occasion (`key`: told once); gives to how many.

    subject, text: msgids, without a study, name or number in them; path: of the page to look at."""
    people = User.objects.filter(groups__name__in=roles, is_active=True).exclude(email="").distinct()
    addresses = sorted(set(people.values_list("email", flat=True)))
    subjects, words = [], []
    for language in ("ko", "en"):
        with override(language):
            subjects.append(gettext(subject))
            words.append(gettext(text))
    body = "\n\n".join([*words, f"{site().url}{path}"])
    for address in addresses:  # one mail each: nobody learns who else was told
        mail.send(f"{key}:{address}", to=[address], subject=" / ".join(subjects), text=body)
    return len(addresses)
