"""In which language a script is, by the end of its name, and how it is started inside."""

import shutil
from pathlib import Path

from ansim.errors import N_, Problem

from .job import SandboxJob

PYTHON = "/usr/bin/python3"
RSCRIPT = "/usr/bin/Rscript"
ENDING = {"python": ".py", "r": ".R", "sql": ".sql"}

# Isolated mode, and a path of our own: the standard library, the sealed packages, the job's code. The host's own
# packages (dist-packages) would make what a script sees depend on the machine.
PATHS = "import sys, runpy; sys.path[:] = [p for p in sys.path if 'dist-packages' not in p] + ['/packages', '/code']; "
START = PATHS + "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"

INSIDE = Path(__file__).with_name("inside")  # programs that run in the sandbox, handed in as text


def of(script: str) -> str:
    """python, r or sql. Raises Problem for any other ending."""
    language = {ending.lower(): name for name, ending in ENDING.items()}.get(Path(script).suffix.lower())
    if language is None:
        raise Problem(
            "script-language",
            N_("{name} is neither Python (.py) nor R (.R) nor SQL (.sql)."),
            name=Path(script).name,
            where=script,
        )
    return language


def available() -> list[str]:
    """The languages of this machine."""
    return ["python", "sql"] + (["r"] if shutil.which(RSCRIPT) else [])


def command(job: SandboxJob) -> list[str]:
    """What runs the job's script inside. Raises Problem when the language is not there; then nothing ran."""
    language, script = of(job.script), f"/code/{job.script}"
    if language == "r":
        if not shutil.which(RSCRIPT):
            raise Problem(
                "no-r",
                N_("R is not installed where scripts run."),
                where=job.script,
                remedy=N_("Install it: apt install r-base-core."),
            )
        return [RSCRIPT, "--vanilla", script]
    if language == "sql" and not (job.packages and (job.packages / "duckdb").is_dir()):
        raise Problem(
            "no-duckdb",
            N_("SQL runs on DuckDB, which is not in the package set."),
            where=job.script,
            remedy=N_("Name duckdb among the packages."),
        )
    program = PATHS + (INSIDE / "sql.py").read_text("utf-8") if language == "sql" else START
    return [PYTHON, "-I", "-c", program, script]
