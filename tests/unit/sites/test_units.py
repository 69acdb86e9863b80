"""The services that `ansim systemd` writes: what systemd itself says of them, and what they hide from whom."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ansim.sites.config import Site
from ansim.sites.operate import units

MOST_EXPOSED = {"hub": 1.5, "holder": 1.5, "centre": 3.5}  # systemd's scale: 0 nothing, 10 everything


def written(folder: Path, kind: str) -> dict[str, str]:
    here = Site(Path("/srv/ansim/site"), "one", kind, {"ko": "하나", "en": "One"})
    made = units.files(here, Path("/bin/true"))
    for name, content in made.items():
        (folder / name).write_text(content)
    return made


@pytest.mark.parametrize("kind", MOST_EXPOSED)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_finds_them_right_and_closed(tmp_path, kind):
    for name in written(tmp_path, kind):
        if name.endswith(".service"):
            said = subprocess.run(["systemd-analyze", "verify", tmp_path / name], capture_output=True, text=True)
            assert not [line for line in said.stderr.splitlines() if str(tmp_path) in line], said.stderr
            judged = ["systemd-analyze", "security", "--offline=true", tmp_path / name]
            told = subprocess.run(judged, capture_output=True, text=True).stdout
            exposure = float(re.search(r"Overall exposure level for .*: ([\d.]+)", told)[1])
            assert exposure <= (1.0 if "keys" in name else MOST_EXPOSED[kind]), told


def test_the_keys_are_hidden_from_the_pages_and_the_network_from_the_keys(tmp_path):
    made = written(tmp_path, "holder")
    web, keys = made["ansim-one.service"], made["ansim-one-keys.service"]
    assert "InaccessiblePaths=/srv/ansim/site/keys" in web
    assert "LoadCredential" not in web
    assert "PrivateNetwork=yes" in keys
    assert "ReadWritePaths=/srv/ansim/site/keys\n" in keys
    users = {re.search(r"^User=(.*)$", unit, re.M)[1] for unit in (web, keys)}
    assert len(users) == 2
    for unit in (web, keys):
        assert all(line in unit for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=\n"))


def test_long_names_stay_within_what_linux_allows_a_user():
    names = units.Names("a" * 60)
    assert len(names.web) <= 31
    assert len(names.keys) <= 31
    assert names.web != names.keys
    assert len(names.socket) < 108


def test_the_setup_is_a_script_that_a_shell_reads(tmp_path):
    written(tmp_path, "hub")
    assert subprocess.run(["sh", "-n", tmp_path / "ansim-one-setup.sh"], capture_output=True).returncode == 0
