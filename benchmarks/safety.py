"""What the checks of a model cost before Keras may build it, by the time that loading it takes.

    python benchmarks/safety.py [--rounds N] [NAME]...

The checks are the walk over all that a model names, and the comparison of the sizes it declares
with those that are stored. The best of several rounds counts.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Keras and TensorFlow read these once, at import.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import keras

import kvcs
from kvcs.commands.operand import opened
from kvcs.keras_files.declared import check_sizes
from kvcs.trust import Trust, check_model

MODELS = ("ResNet50", "MobileNetV3Small")


def best(rounds: int, work: Callable[[], Any]) -> float:
    """Return the least seconds that something takes."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def row(name: str, place: Path, rounds: int) -> str:
    """Return a line of the table: the checks and the loading in milliseconds, and their ratio."""
    kvcs.save(getattr(keras.applications, name)(weights=None), place)
    with opened(place) as stored:
        model = stored.model()
    walk = best(rounds, lambda: check_model(model, Trust()))
    sizes = best(rounds, lambda: check_sizes(model))
    load = best(rounds, lambda: kvcs.load(place))
    return (
        f"{name:18} | {walk * 1000:8.1f} | {sizes * 1000:8.1f} | {load * 1000:8.0f} | "
        f"{(walk + sizes) / load:8.2%}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", default=MODELS)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(f"{'ms':18} | {'names':>8} | {'sizes':>8} | {'load':>8} | {'checks':>8}")
    with tempfile.TemporaryDirectory() as place:
        for name in given.names:
            print(row(name, Path(place, name), given.rounds), flush=True)


if __name__ == "__main__":
    main()
