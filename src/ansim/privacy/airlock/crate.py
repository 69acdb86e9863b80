"""A release as a Five Safes RO-Crate (profile 0.4, https://w3id.org/5s-crate/0.4; RO-Crate 1.2), in a BagIt ZIP.

Only what was released stands in it, with the project, and which checks and people let it go; people appear by the part
that they played, not by name. One deviation is stated in the crate itself: `mainEntity` is the script or federated
analysis of the run, named by its SHA-256, and not a Workflow RO-Crate, since researchers' scripts are none.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

from ansim.documents import digest
from ansim.errors import N_, Problem

PROFILE = "https://w3id.org/5s-crate/0.4"
CRATE = "https://w3id.org/ro/crate/1.2"
DONE, FAILED = "http://schema.org/CompletedActionStatus", "http://schema.org/FailedActionStatus"
METADATA, RECORD = "ro-crate-metadata.json", "disclosure-record.json"
_CHECK = {
    "machine": ("https://w3id.org/shp#DisclosureCheck", "Automatic disclosure check"),
    "people": ("https://w3id.org/shp#DisclosureCheck", "Two blind output checkers"),
    "export": ("https://w3id.org/shp#DisclosureCheck", "Export review of linked data"),
}


def record(output: Mapping, notes: Mapping, policy: Mapping, version: str) -> dict[str, Any]:
    """Every criterion of disclosure control that was applied to the files of one release, for machines (SATRE 3.3.09).

    output: the request's state; notes: {reports, findings}; policy: thresholds in force. No cell and no name in it.
    """
    reports = notes.get("reports", {})
    found: dict[str, dict[str, int]] = {}
    for finding in notes.get("findings", []):
        rules = found.setdefault(finding["file"], {})
        rules[finding["code"]] = rules.get(finding["code"], 0) + 1
    files = [
        {
            "name": file["name"],
            "sha256": file["sha256"],
            "route": reports.get(file["name"], {}).get("route", "machine"),
            "people_known": reports.get(file["name"], {}).get("route", "machine") == "machine",
            "rules_found": found.get(file["name"], {}),
        }
        for file in output["files"]
    ]
    return {
        "ansim": "disclosure-record/1",
        "satre": "3.3.09",
        "software": version,
        "policy": dict(policy),
        "policy_digest": digest(dict(policy)),
        "files": files,
        "checkers": {"views": len(output["views"]), "blind": True, "settled_by_senior": bool(output["senior"])},
        "export_board": {
            "linked": output["linked"],
            "reviews": len(output["export_views"]),
            "criteria": {name: entry["holds"] for name, entry in output["export"].items()},
        },
        "status": output["status"],
        "at": output["manifest"]["at"],
    }


def metadata(
    *, name: str, title: Mapping[str, str], output: Mapping, centre: Mapping, user: Mapping, work: Mapping
) -> dict[str, Any]:
    """The crate's JSON-LD. work: {sha256, name} of the script or analysis; centre, user: {id, name}."""
    at, files = output["manifest"]["at"], [*output["files"], {"name": RECORD, "sha256": "", "size": 0}]
    main, query = f"#work-{work['sha256'][:16]}", f"#query-{name}"
    checks = [_action(kind, name, at, f"#{kind}", output) for kind in _kinds(output)]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": title.get("en") or title.get("ko") or name,
        "description": f"Files released by {centre['name']} as {name}.",
        "conformsTo": {"@id": PROFILE},
        "datePublished": at,
        "license": "Use as the research agreement says; re-identification is forbidden.",
        "publisher": {"@id": f"#{centre['id']}"},
        "sourceOrganization": {"@id": f"#{output['project']}"},
        "mainEntity": {"@id": main},
        "hasPart": [{"@id": file["name"]} for file in files],
        "mentions": [{"@id": query}, *({"@id": check["@id"]} for check in checks)],
    }
    run = {
        "@id": query,
        "@type": "CreateAction",
        "name": "Analysis in the closed room",
        "actionStatus": DONE,
        "endTime": at,
        "agent": {"@id": "#requester"},
        "instrument": {"@id": main},
        "result": [{"@id": file["name"]} for file in files],
    }
    graph = [
        {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}, "conformsTo": {"@id": CRATE}},
        root,
        run,
        *checks,
        {"@id": main, "@type": "SoftwareSourceCode", "name": work["name"], "identifier": f"sha256:{work['sha256']}",
         "description": "Not a Workflow RO-Crate: named by its hash; it stays in the room."},
        {"@id": "#requester", "@type": "Person", "name": "A member of the project",
         "affiliation": {"@id": f"#{user['id']}"}, "memberOf": {"@id": f"#{output['project']}"}},
        {"@id": f"#{output['project']}", "@type": "Project", "name": root["name"], "identifier": output["project"],
         "member": [{"@id": f"#{user['id']}"}]},
        *({"@id": f"#{one['id']}", "@type": "Organization", "name": one["name"]} for one in (centre, user)),
        {"@id": "#machine", "@type": "SoftwareApplication", "name": "Ansim"},
        {"@id": "#people", "@type": "Organization", "name": "Output checkers of the centre"},
        {"@id": "#export", "@type": "Organization", "name": "Export board of the centre"},
        *({"@id": file["name"], "@type": "File", "name": file["name"]}
          | ({"contentSize": str(file["size"]), "sha256": file["sha256"]} if file["sha256"] else {}) for file in files),
    ]  # fmt: skip
    return {"@context": f"{CRATE}/context", "@graph": graph}


def _kinds(output: Mapping) -> list[str]:
    return ["machine", "people", *(["export"] if output["linked"] else [])]


def _action(kind: str, name: str, at: str, agent: str, output: Mapping) -> dict[str, Any]:
    type_, words = _CHECK[kind]
    passed = kind != "machine" or not any(finding["level"] == "refuse" for finding in output["findings"])
    return {
        "@id": f"#{kind}-{name}",
        "@type": "AssessAction",
        "additionalType": {"@id": type_},
        "name": f"{words}: {'passed' if passed else 'refused'}",
        "actionStatus": DONE if passed else FAILED,
        "endTime": at,
        "agent": {"@id": agent},
        "object": {"@id": "./"},
    }


def problems(document: Mapping, files: Iterable[str]) -> list[str]:
    """What the profile asks for and the metadata lack; empty if nothing. files: payload names besides the metadata."""
    try:
        graph = {entity["@id"]: entity for entity in document["@graph"]}
    except (KeyError, TypeError):
        return ["no @graph of entities with @id"]
    root, head = graph.get("./", {}), graph.get(METADATA, {})
    found = [
        (head.get("about") == {"@id": "./"}, "the descriptor is about ./"),
        (str(head.get("conformsTo", {}).get("@id", "")).startswith("https://w3id.org/ro/crate/1.2"), "RO-Crate 1.2"),
        (root.get("@type") == "Dataset", "./ is a Dataset"),
        (root.get("conformsTo") == {"@id": PROFILE}, "./ conforms to the profile"),
        (root.get("mainEntity", {}).get("@id") in graph, "mainEntity is described"),
        (_type(graph, root.get("sourceOrganization")) == "Project", "sourceOrganization is a Project"),
        (bool(root.get("datePublished")) and bool(root.get("license")), "date and licence"),
    ]
    actions = [graph.get(each.get("@id"), {}) for each in root.get("mentions", [])]
    runs = [each for each in actions if each.get("@type") == "CreateAction"]
    found += [
        (len(runs) == 1 and runs[0].get("instrument") == root.get("mainEntity"), "one CreateAction of the main entity"),
        (bool(runs) and _type(graph, runs[0].get("agent")) == "Person", "a Person asked for the run"),
        (any(each.get("@type") == "AssessAction" for each in actions), "a disclosure check is mentioned"),
        (all(each.get("actionStatus") == DONE for each in actions), "every action is completed"),
        (all(each.get("endTime") for each in actions), "every action has its time"),
        ({each["@id"] for each in root.get("hasPart", [])} == set(files), "hasPart names the payload"),
    ]
    dangling = sorted({target for target in _targets(document["@graph"]) if target not in graph and ":" not in target})
    return [what for holds, what in found if not holds] + [f"{target} is not described" for target in dangling]


def _type(graph: Mapping, reference: Any) -> str:
    return graph.get(reference.get("@id"), {}).get("@type", "") if isinstance(reference, dict) else ""


def _targets(value: Any, top: bool = True) -> Iterable[str]:
    if isinstance(value, list):
        for each in value:
            yield from _targets(each, top)
    elif isinstance(value, dict):
        if set(value) == {"@id"}:
            yield value["@id"]
        else:
            for name, inner in value.items():
                if name != "@id":
                    yield from _targets(inner, False)


def bag(name: str, document: Mapping, files: Mapping[str, bytes]) -> bytes:
    """A ZIP with one BagIt 1.0 folder (RFC 8493) of the crate, the same bytes for the same content.

    Raises Problem if the metadata do not hold what the profile asks for: no crate that is none is made.
    """
    if wrong := problems(document, files):
        raise Problem("not-a-crate", N_("This release makes no valid crate: {what}."), what="; ".join(wrong))
    payload = {**files, METADATA: json.dumps(document, ensure_ascii=False, indent=1).encode()}
    manifest = "".join(f"{hashlib.sha512(body).hexdigest()}  data/{file}\n" for file, body in sorted(payload.items()))
    size = sum(map(len, payload.values()))
    tags = {
        "bagit.txt": "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": f"External-Identifier: {name}\nPayload-Oxum: {size}.{len(payload)}\n",
        "manifest-sha512.txt": manifest,
    }
    tags["tagmanifest-sha512.txt"] = "".join(
        f"{hashlib.sha512(body.encode()).hexdigest()}  {file}\n" for file, body in sorted(tags.items())
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        whole: dict[str, bytes] = {f"data/{file}": body for file, body in sorted(payload.items())}
        for file, body in {**whole, **{file: body.encode() for file, body in sorted(tags.items())}}.items():
            entry = zipfile.ZipInfo(f"{name}/{file}", (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, body, zipfile.ZIP_DEFLATED)
    return out.getvalue()
