"""What is found beyond DQD's checks: a kind of finding, where, about what, and how much."""

import tomllib
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Finding:
    """rows of how many are touched. subject: a concept id, a month, a pattern; "" where it is the whole field."""

    kind: str
    table: str
    field: str
    subject: str
    rows: int
    of: int

    @property
    def share(self) -> float:
        return self.rows / self.of if self.of else 0.0

    def as_data(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Kind:
    """Texts are {ko, en}; weight is one of fatal, convention, characterization."""

    weight: str
    title: dict[str, str]
    means: dict[str, str]
    mend: dict[str, str]


@cache
def kinds() -> dict[str, Kind]:
    text = files(__package__).joinpath("findings.toml").read_text(encoding="utf-8")
    return {name: Kind(**values) for name, values in tomllib.loads(text).items()}
