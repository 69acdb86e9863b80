"""What a method is: pure functions, from a site's people to sums, and from pooled sums to the next round or the result.

Every aggregate is a tree (objects and lists) of numbers that pool by addition, or, in a round that asks which groups
there are, `{"union": {...}}`. So whoever combines needs sums only, and those can come masked (see `masks`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Parts:
    """What the node's guard looks at before a site's sums leave it.

    people: distinct people in the sums. columns: (name, one value a person) of everything that is summed. parameters:
    of the model. weights: how much each person counts at this round's state, for rounds whose state could point at
    few. groups: sizes of the groups that the state forms.
    """

    people: int
    columns: tuple[tuple[str, np.ndarray], ...] = ()
    parameters: int = 0
    weights: np.ndarray | None = None
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class Method:
    """One analysis.

    initial_state(spec): the first round's state, also the check of the specification; its keys are what sites see of
    later states. prepare(frame, spec): a site's data as the sums need them, once a job. local(data, spec, state): this
    site's aggregate. combine(pooled, spec, state): (next state, done, result). parts(data, spec, state): for the guard.
    alone(spec): why one site's sums of this kind may be seen in a pool only, as a text; empty where they may stand
    alone. variables(spec): what the frame must have.
    """

    name: str
    title: str
    initial_state: Callable[[dict], dict]
    prepare: Callable[[pa.Table, dict], Any]
    local: Callable[[Any, dict, dict], dict]
    combine: Callable[[dict, dict, dict], tuple[dict, bool, Any]]
    parts: Callable[[Any, dict, dict], Parts]
    alone: Callable[[dict], str] = field(default=lambda spec: "")
