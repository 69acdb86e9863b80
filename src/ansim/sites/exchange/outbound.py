"""How this site calls out: its own certificate authority and its own HTTP proxy, where the network has them.

Without settings the environment's own (SSL_CERT_FILE, HTTPS_PROXY, NO_PROXY) count, as with any program.
"""

import ssl
from typing import Any

from ansim.errors import N_, Problem
from ansim.sites.config import Site


def options(here: Site) -> dict[str, Any]:
    """Arguments of an httpx client for calls of this site. Raises Problem for a file that holds no certificates."""
    found: dict[str, Any] = {}
    if ca := here.network.get("ca"):
        try:
            found["verify"] = ssl.create_default_context(cafile=str(here.path(ca)))  # only this CA, no public one
        except (OSError, ssl.SSLError) as error:
            raise Problem(
                "bad-ca",
                N_("The certificates in {file} cannot be read: {error}."),
                file=str(here.path(ca)),
                error=str(error),
                where="site.toml: network.ca",
            ) from error
    if proxy := here.network.get("proxy"):
        found["proxy"] = proxy
    return found
