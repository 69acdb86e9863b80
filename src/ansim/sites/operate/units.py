"""systemd services of one site: the web process, and the key process apart, each as a user of its own.

What each may do is the least that it needs (systemd.exec(5)). Of the web process's folder the key files are hidden; the
key process has no network at all. A centre starts researchers' code in bubblewrap, which needs user namespaces and a
/proc that nothing lies over: what would stand in its way is left out there, and only there.
"""

from dataclasses import dataclass
from pathlib import Path

from ansim.sites.config import Site

COMMON = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelModules=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
CapabilityBoundingSet=
AmbientCapabilities=
UMask=0077
LimitCORE=0
"""
NO_SANDBOX = """\
PrivateDevices=yes
ProtectProc=invisible
ProtectKernelLogs=yes
ProtectKernelTunables=yes
RestrictNamespaces=yes
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
"""
SANDBOX = """\
# bubblewrap: user, mount, process, network, IPC and host-name namespaces, and a /proc without mounts over it
RestrictNamespaces=user mnt pid net ipc uts cgroup
SystemCallFilter=@system-service @mount seccomp setns unshare clone3
SystemCallErrorNumber=EPERM
"""
KEEPER = """\
PrivateNetwork=yes
IPAddressDeny=any
RestrictAddressFamilies=AF_UNIX
PrivateUsers=no
ProcSubset=pid
MemorySwapMax=0
"""


@dataclass(frozen=True)
class Names:
    """Users, group, socket of a site's services."""

    site: str

    @property
    def web(self) -> str:
        return f"ansim-{self.site}"[:31]

    @property
    def keys(self) -> str:
        return f"{self.web[:26]}-keys"

    @property
    def socket(self) -> str:
        return f"/run/{self.keys}/keeper.sock"


def files(here: Site, program: Path) -> dict[str, str]:
    """{file name: content}: the two units, the users, a script that root runs once. program: the `ansim` command."""
    names = Names(here.id)
    return {
        f"{names.web}.service": _web(here, program, names),
        f"{names.keys}.service": _keys(here, program, names),
        f"{names.web}.sysusers.conf": _users(here, names),
        f"{names.web}-setup.sh": _setup(here, names),
    }


def _web(here: Site, program: Path, names: Names) -> str:
    sandbox = here.kind == "centre"
    return f"""\
[Unit]
Description=Ansim: {here.kind} {here.id}
Documentation=file://{program.parent.parent}
After=network-online.target {names.keys}.service
Wants=network-online.target
Requires={names.keys}.service
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=exec
User={names.web}
Group={names.web}
ExecStart={program} serve {here.folder}
Restart=on-failure
RestartSec=5
TimeoutStopSec=30
StateDirectoryMode=0700
ReadWritePaths={here.folder}
InaccessiblePaths={here.folder}/keys
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX{" AF_NETLINK" if sandbox else ""}
{"Delegate=yes" if sandbox else "KeyringMode=private"}
{COMMON}{SANDBOX if sandbox else NO_SANDBOX}
[Install]
WantedBy=multi-user.target
"""


def _keys(here: Site, program: Path, names: Names) -> str:
    return f"""\
[Unit]
Description=Ansim: key process of {here.kind} {here.id}

[Service]
Type=notify
User={names.keys}
Group={names.web}
ExecStart={program} keeper {here.folder}
# made by: systemd-creds encrypt --name=ansim-passphrase passphrase /etc/credstore.encrypted/{names.keys}
LoadCredentialEncrypted=ansim-passphrase:/etc/credstore.encrypted/{names.keys}
RuntimeDirectory={names.keys}
RuntimeDirectoryMode=0750
Restart=on-failure
RestartSec=1
ReadWritePaths={here.folder}/keys
KeyringMode=private
{COMMON}{NO_SANDBOX}{KEEPER}
[Install]
WantedBy=multi-user.target
"""


def _users(here: Site, names: Names) -> str:
    return f"""\
# sysusers.d(5): the web process and the key process of {here.id}; the keys' user may enter the site's folder
u {names.web} - "Ansim {here.id}" {here.folder} -
u {names.keys} - "Ansim keys of {here.id}" {here.folder} -
m {names.keys} {names.web}
"""


def _setup(here: Site, names: Names) -> str:
    return f"""\
#!/bin/sh
# Run once as root, with the site stopped: users, owners and modes of {here.folder}. Running it again changes nothing.
set -eu
cd "$(dirname "$0")"
install -m 644 {names.web}.sysusers.conf /etc/sysusers.d/{names.web}.conf
systemd-sysusers
install -m 644 {names.web}.service {names.keys}.service /etc/systemd/system/
if [ -e {here.folder}/keys/web.key ]; then mv {here.folder}/keys/web.key {here.folder}/web.key; fi
chown -R {names.web}:{names.web} {here.folder}
chown -R {names.keys}:{names.web} {here.folder}/keys
chmod 750 {here.folder}
chmod -R u=rwX,go= {here.folder}/keys
chmod 600 {here.folder}/web.key
chown root:{names.web} {here.folder}/site.toml
chmod 640 {here.folder}/site.toml
grep -q '^\\[keeper\\]' {here.folder}/site.toml || cat >> {here.folder}/site.toml <<'END'

[keeper]
socket = "{names.socket}"
serves = "{names.web}"
END
systemctl daemon-reload
test -e /etc/credstore.encrypted/{names.keys} || echo "Next: systemd-creds encrypt --name=ansim-passphrase \\
  PASSPHRASE-FILE /etc/credstore.encrypted/{names.keys}"
echo "Then: systemctl enable --now {names.web}.service"
"""
