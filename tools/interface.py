"""docs/api.md: a line for each thing that can be asked of a site, from the same description as /openapi.json."""

import os
import tempfile
from pathlib import Path
from typing import Any

from django.urls import URLPattern

from ansim.sites import init
from ansim.sites.config import KINDS

HEAD = """# The interface for programs

Generated from the sites' addresses; do not edit. Every page is also JSON (`Accept: application/json`), every act takes
JSON; `/openapi.json` of a running site is the whole description (OpenAPI 3.1), with schemas and answers.
How to sign in, and a client in Python: [client.md](client.md). What sites say to each other: [flow.md](flow.md).

A star marks what must be given; `step-up` asks for a fresh proof of identity. Roles: who may.
"""


def page() -> str:
    """The page; a throw-away site is founded for it, whose kind does not matter."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder) / "site"
        init.make(here, id="site", kind="hub", name={"ko": "-", "en": "-"}, passphrase=b"-" * 16, trust={})
        os.environ |= {"ANSIM_SITE": str(here), "DJANGO_SETTINGS_MODULE": "ansim.sites.settings"}
        import django

        django.setup()
        from ansim.sites import openapi, urls
        from ansim.sites.config import site

        common = openapi.describe(urls.everywhere, site())["paths"]
        parts = [HEAD, _table("Every site", common)]
        for kind in KINDS:
            _all_reached(urls.addresses(kind))
            own = openapi.describe(urls.addresses(kind), site())["paths"]
            parts.append(_table(kind, {address: own[address] for address in own if address not in common}))
    return "\n".join(parts)


def _all_reached(patterns: list[Any]) -> None:
    """No address of fixed words is taken by another that stands before it."""
    plain = [each for each in patterns if isinstance(each, URLPattern)]
    for each in plain:
        first = next((one for one in plain if one.resolve(str(each.pattern))), each)
        if first is not each:
            raise SystemExit(f"/{each.pattern} is never reached: /{first.pattern} takes it")


def _table(title: str, paths: dict[str, dict]) -> str:
    rows = [
        f"| {method.upper()} | `{address}` | {', '.join(each['x-roles'])}{' (step-up)' if 'x-step-up' in each else ''} "
        f"| {_takes(each)} | {each.get('summary', '').replace('|', '/')} |"
        for address, item in paths.items()
        for method, each in item.items()
        if method != "parameters"
    ]
    head = ["| | address | roles | takes | |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([f"## {title}", "", *head, *rows, ""])


def _takes(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    schema = next((each["schema"] for each in content.values()), {})
    star = set(schema.get("required", ()))
    return ", ".join(f"{name}{'*' if name in star else ''}" for name in schema.get("properties", {}))
