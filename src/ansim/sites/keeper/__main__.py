"""`python -m ansim.sites.keeper FOLDER`: the key process of one site."""

import sys
from pathlib import Path

from ansim.errors import Problem
from ansim.sites.config import passphrase
from ansim.sites.keeper.server import serve

if __name__ == "__main__":
    site_folder = Path(sys.argv[1])
    try:
        serve(site_folder, passphrase(site_folder))
    except Problem as problem:
        sys.exit(f"ansim keeper: {problem}")
    except KeyboardInterrupt:
        pass
