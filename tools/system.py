"""Debian packages that a command needs: installed when root, else named. It runs before anything else is installed."""

import os
import shutil
import subprocess
import sys


def missing(packages: list[str]) -> list[str]:
    if not shutil.which("dpkg-query"):
        print(f"Not a Debian system: make sure that these are there: {' '.join(packages)}", file=sys.stderr)
        return []
    status = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages], capture_output=True, text=True
    ).stdout
    have = {line.split()[0] for line in status.splitlines() if line.endswith(" installed")}
    return [package for package in packages if package not in have]


def main(packages: list[str]) -> int:
    wanted = missing(packages)
    if not wanted:
        return 0
    if os.geteuid() != 0:
        print(
            f"Some Debian packages are missing. Please run:\n\n  sudo apt-get install {' '.join(wanted)}\n",
            file=sys.stderr,
        )
        return 1
    print(f"Installing Debian packages: {' '.join(wanted)} …", flush=True)
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run(["apt-get", "-q", "update"], check=True, **quiet)
    subprocess.run(["apt-get", "-qy", "install", "--no-install-recommends", *wanted], check=True, **quiet)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
