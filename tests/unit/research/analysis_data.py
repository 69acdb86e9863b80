"""Data of real studies that the oracles ship, as frames, cut over sites."""

import numpy as np
import pyarrow as pa


def table(data, **columns):
    """A frame from a pandas table: its columns, or those computed ones; one row a person."""
    made = {name: (data[value] if isinstance(value, str) else value) for name, value in columns.items()}
    arrays = {"person_id": pa.array(np.arange(len(data)) + 1)}
    for name, values in made.items():
        values = np.asarray(values)
        arrays[name] = pa.array(values.tolist(), _kind(values), from_pandas=True)
    return pa.table(arrays)


def _kind(values):
    if values.dtype == bool:
        return pa.bool_()
    return pa.string() if values.dtype == object or values.dtype.kind in "UT" else pa.float64()


def cut(frame, sites, seed=0):
    """The frame over so many sites at random, the first of them without people (from three on)."""
    place = np.random.default_rng(seed).integers(min(1, sites // 3), sites, frame.num_rows)
    return [frame.filter(pa.array(place == site)) for site in range(sites)]


SITES = [1, 2, 3, 10]
