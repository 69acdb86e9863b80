"""Which of the locked packages each kind of site needs, and the release's bill of materials (CycloneDX 1.6).

Both follow the installed packages' own metadata, so they need no network and give the same for the same lock.
"""

import re
import tomllib
from collections.abc import Iterable
from datetime import datetime
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

KINDS = ("hub", "holder", "centre", "keyagency", "user")
PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^ ;\\\n]+)((?:[^\n]*\\\n)*[^\n]*)", re.M)
HASH = re.compile(r"sha256:([0-9a-f]{64})")


def read(lock: str) -> dict[str, tuple[str, str]]:
    """{package: (version, its whole entry in the lock)}."""
    return {canonicalize_name(found[1]): (found[2], found[0]) for found in PIN.finditer(lock)}


def wanted(project: Path, extra: str) -> list[Requirement]:
    """What pyproject.toml asks for, with one extra (a kind without an extra of its own needs the base alone)."""
    about = tomllib.loads(project.read_text("utf-8"))["project"]
    return [Requirement(each) for each in (*about["dependencies"], *about["optional-dependencies"].get(extra, ()))]


def closure(asked: Iterable[Requirement]) -> dict[str, set[str]]:
    """{package: the packages that it needs}, for all that is reached from the requirements on this platform."""
    graph: dict[str, set[str]] = {}
    todo = [(each, "") for each in asked]
    done: set[tuple[str, str]] = set()
    while todo:
        requirement, _ = todo.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in done:
                continue
            done.add((name, extra))
            needs = [Requirement(each) for each in distribution(name).requires or ()]
            needs = [each for each in needs if each.marker is None or each.marker.evaluate({"extra": extra})]
            graph.setdefault(name, set()).update(canonicalize_name(each.name) for each in needs)
            todo += [(each, name) for each in needs]
    return graph


def lock_of(lock: str, names: Iterable[str]) -> str:
    """The lock's entries of these packages. Raises KeyError for one that is not locked."""
    entries = read(lock)
    return "\n".join(entries[name][1].rstrip("\\\n ") for name in sorted(names)) + "\n"


def bill(lock: str, graph: dict[str, set[str]], version: str, wheel_hash: str, at: datetime) -> str:
    """The bill of materials as JSON: each package with version, licence and hashes, and who needs whom."""
    entries = read(lock)
    parts = {name: _component(name, *entries[name]) for name in sorted(graph)}
    root = Component(
        name="ansim",
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref=f"ansim@{version}",
        licenses=[LicenseExpression("Apache-2.0")],
        purl=PackageURL("pypi", None, "ansim", version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel_hash)],
    )
    bom = Bom(components=parts.values())
    bom.metadata.component, bom.metadata.timestamp = root, at
    bom.serial_number = uuid5(NAMESPACE_URL, f"ansim {version} {wheel_hash}")  # the same release, the same bill
    bom.register_dependency(root, parts.values())
    for name, needs in graph.items():
        bom.register_dependency(parts[name], [parts[each] for each in sorted(needs)])
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _component(name: str, version: str, entry: str) -> Component:
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{name}@{version}",
        purl=PackageURL("pypi", None, name, version),
        licenses=_licences(name),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in HASH.findall(entry)],
    )


def _licences(name: str) -> list[LicenseExpression | DisjunctiveLicense]:
    """As the package says itself: an SPDX expression where it has one, else its classifiers' names."""
    try:
        about = distribution(name).metadata
    except PackageNotFoundError:
        return []
    if expression := about.get("License-Expression"):
        return [LicenseExpression(expression)]
    classifiers = [each for each in about.get_all("Classifier") or () if each.startswith("License ::")]
    return [DisjunctiveLicense(name=each.rpartition(" :: ")[2]) for each in classifiers]
