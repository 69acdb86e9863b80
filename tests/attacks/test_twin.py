"""Is anybody of the data in the twin? Membership inference at chance, no value of a few, and leaky twins are found."""

import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ansim.cli.main import app
from ansim.errors import Problem
from ansim.privacy.deid import twin

CODES = np.array([40481087, 4112343, 260139, 372328, 81151, 28060])
SCRIPT = """
import pandas as pd
people = pd.read_parquet(FOLDER + '/frame.parquet')
seen = pd.read_parquet(FOLDER + '/linked/condition_occurrence.parquet')
both = people.merge(seen, on='person_id')
print(both[both.condition_concept_id == 40481087].groupby(['sex', 'age_band'], dropna=False).person_id.nunique())
print(both.start_date.dt.year.min() if hasattr(both.start_date, 'dt') else min(both.start_date))
"""


def world(people, seed):
    """(frame, conditions): a population in which each person is nearly unique."""
    random = np.random.default_rng(seed)
    ids = np.array([f"{number:032x}" for number in random.integers(0, 2**62, people)])
    age = random.integers(18, 90, people)
    frame = pd.DataFrame(
        {
            "person_id": ids,
            "sex": random.choice(["F", "M"], people, p=[0.6, 0.4]),
            "age_band": [f"{one // 10 * 10}-{one // 10 * 10 + 9}" for one in age],
            "temperature": np.round(random.normal(37, 0.7, people), 4),
            "weight": np.round(random.lognormal(4.1, 0.3, people), 3),
            "chronic": random.random(people) < 0.2,
            "visits": random.poisson(4, people),
        }
    )
    who = np.repeat(np.arange(people), random.integers(1, 4, people))
    days = pd.Timestamp("2015-01-01") + pd.to_timedelta(random.integers(0, 1500, len(who)), unit="D")
    seen = pd.DataFrame(
        {
            "condition_occurrence_id": np.arange(len(who)),
            "person_id": ids[who],
            "condition_concept_id": random.choice(CODES, len(who)),
            "start_date": days.date,
        }
    )
    return frame, seen


def folder(place, frame, seen):
    (place / "linked").mkdir(parents=True)
    frame.to_parquet(place / "frame.parquet")
    seen.to_parquet(place / "linked" / "condition_occurrence.parquet")
    return place


def vectors(frame):
    return np.column_stack(
        [
            (frame.temperature.astype(float) - 37) / 0.7,
            (np.log(frame.weight.astype(float).clip(lower=1)) - 4.1) / 0.3,
            frame.visits.astype(float) / 2,
            (frame.sex == "F").astype(float) * 2,
            frame.chronic.astype(float) * 2,
            frame.age_band.str[:2].astype(float) / 20,
        ]
    )


def auc(members, strangers, made):
    """How well the distance to the nearest made record tells members from strangers (0.5: not at all)."""

    def nearest(these):
        mine, theirs = vectors(these), vectors(made)
        return np.array([np.sqrt(((theirs - one) ** 2).sum(axis=1)).min() for one in mine])

    near, far = nearest(members), nearest(strangers)
    return float((near[:, None] < far[None, :]).mean() + 0.5 * (near[:, None] == far[None, :]).mean())


def test_membership_is_not_told_by_the_twin(tmp_path):
    frame, seen = world(1200, 1)
    members, strangers = frame.iloc[:600], frame.iloc[600:]
    mine = seen[seen.person_id.isin(members.person_id)]
    found = []
    for seed in range(5):
        source = folder(tmp_path / f"data{seed}", members, mine)
        twin.make(source, tmp_path / f"twin{seed}", people=600, seed=seed)
        found.append(auc(members, strangers, pd.read_parquet(tmp_path / f"twin{seed}" / "frame.parquet").dropna()))
    assert abs(np.mean(found) - 0.5) < 0.04, found
    leaky = members.sample(600, replace=True, random_state=1)  # control: resampled people with a little noise
    leaky = leaky.assign(temperature=leaky.temperature + 0.01, weight=leaky.weight * 1.001)
    assert auc(members, strangers, leaky) > 0.75


def test_no_value_of_a_few_is_in_it(tmp_path):
    frame, seen = world(300, 2)
    frame.loc[0, ["sex", "temperature", "weight"]] = ["X", 44.4444, 999.999]
    seen.loc[:4, "condition_concept_id"] = 987654321
    source = folder(tmp_path / "data", frame, seen)
    twin.make(source, tmp_path / "twin", seed=1)
    made = pd.read_parquet(tmp_path / "twin" / "frame.parquet")
    codes = pd.read_parquet(tmp_path / "twin" / "linked" / "condition_occurrence.parquet").condition_concept_id
    assert set(made.sex.dropna()) == {"F", "M"}
    assert set(codes.dropna()) == set(CODES)
    assert not set(made.person_id) & set(frame.person_id)
    assert made.weight.max() <= 200
    assert made.temperature.max() <= 50
    assert not {44.4444, 999.999} & (set(made.temperature) | set(made.weight))
    # control: without the least number of people, the few stand in it
    with duckdb.connect() as con:
        con.register("frame", frame)
        con.execute("CREATE TABLE t AS SELECT * FROM frame")
        assert "X" in twin.shape(con, "t", 1)["sex"].codes
        assert "X" not in twin.shape(con, "t", 10)["sex"].codes


def test_scripts_run_on_it_unchanged(tmp_path):
    frame, seen = world(300, 3)
    source = folder(tmp_path / "data", frame, seen)
    done = CliRunner().invoke(app, ["deid", "twin", str(source), "--output", str(tmp_path / "twin")])
    assert done.exit_code == 0, done.output
    for name in ("frame.parquet", "linked/condition_occurrence.parquet"):
        real, made = pq.read_schema(source / name), pq.read_schema(tmp_path / "twin" / name)
        assert real.names == made.names
        assert [str(kind) for kind in made.types] == [str(kind).replace("large_", "") for kind in real.types]
    for place in (source, tmp_path / "twin"):
        run = subprocess.run(
            [sys.executable, "-c", f"FOLDER = {str(place)!r}\n{SCRIPT}"], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        assert "F" in run.stdout


@pytest.mark.parametrize("value", [0.0, 3.7, 99.0, 100.0, -4.2, 1e-4, 12345.6])
def test_bounds_move_outwards(value):
    assert twin._outwards(value, 1) >= value
    assert twin._outwards(value, -1) <= value


def test_what_fewer_share_is_refused(tmp_path):
    with pytest.raises(Problem):
        twin.make(tmp_path, tmp_path / "x", min_people=2)
    with pytest.raises(Problem):
        twin.make(tmp_path, tmp_path / "y")
