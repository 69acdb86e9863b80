"""What this centre remembers of the outputs of a project, so that two releases together never single anybody out.

One file a workspace: pseudonyms differ from project to project, so releases of two projects can't be compared anyway,
and the memory ends with the workspace. Records are appended and synced before anything leaves; a torn last record (a
power cut while writing) was never relied on and is cut off.
"""

import json
import os
import struct
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ansim.privacy.disclosure.memory import Memory, Record
from ansim.privacy.disclosure.policy import Policy
from ansim.sites.centre import workspaces
from ansim.sites.exchange import post

LOCK = threading.RLock()  # held from the last check of a release until it is remembered
_open: dict[str, Memory] = {}


class FileStorage:
    """Records in one file: length of the facts, length of the body, facts as JSON, body."""

    HEAD = struct.Struct(">II")

    def __init__(self, file: Path):
        self.file = file

    def load(self) -> Iterator[Record]:
        if not self.file.exists():
            return
        content, start = self.file.read_bytes(), 0
        while start + self.HEAD.size <= len(content):
            facts, body = self.HEAD.unpack_from(content, start)
            end = start + self.HEAD.size + facts + body
            if end > len(content):
                break
            head = json.loads(content[start + self.HEAD.size : start + self.HEAD.size + facts])
            yield Record(head["kind"], head["facts"], content[end - body : end])
            start = end
        if start < len(content):
            os.truncate(self.file, start)

    def append(self, record: Record) -> None:
        facts = json.dumps({"kind": record.kind, "facts": record.facts}).encode()
        with self.file.open("ab") as out:
            out.write(self.HEAD.pack(len(facts), len(record.body)) + facts + record.body)
            out.flush()
            os.fsync(out.fileno())


@cache
def _secret() -> bytes:
    return bytes.fromhex(post.keeper().call("node_secret", purpose="release-memory"))


def of(key: str, policy: Policy) -> Memory:
    """The memory of a workspace under this policy. Use it while holding LOCK."""
    found = _open.get(key)
    if found is None:
        workspaces.folder(key).mkdir(parents=True, exist_ok=True)
        found = _open[key] = Memory(FileStorage(workspaces.folder(key, "memory")), _secret(), policy)
    found.policy = policy
    return found


def forget(key: str) -> None:
    """With the workspace's files its memory goes too."""
    _open.pop(key, None)
