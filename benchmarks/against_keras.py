"""How long kvcs takes to save and load a model, by the time that Keras takes for its own file.

    python benchmarks/against_keras.py [--rounds N] [--profile] [NAME]...

Both save and load the same model in the same process, in turns, and the best of several rounds
counts. A ratio below one says that kvcs is faster. `save again` is a save into a directory that
holds the model already, of which Keras knows nothing: it is set against a full save of Keras.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import shutil
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

MODELS = ("ResNet50", "NASNetMobile", "EfficientNetB0", "MobileNetV3Small")
STEPS = ("save", "save again", "load")


class Contest:
    """One model, and the two ways to save and load it."""

    def __init__(self, name: str, place: Path) -> None:
        self.model = getattr(keras.applications, name)(weights=None)
        self.place, self.file = place / name, place / f"{name}.keras"

    def steps(self) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
        """Return what kvcs and what Keras does in each step."""
        return {
            "save": (self.save, self.keras_save),
            "save again": (self.save_again, self.keras_save),
            "load": (lambda: kvcs.load(self.place), lambda: keras.saving.load_model(self.file)),
        }

    def save(self) -> None:
        """Save where nothing is yet."""
        kvcs.save(self.model, self.place)

    def save_again(self) -> None:
        """Save where the model is already."""
        kvcs.save(self.model, self.place)

    def keras_save(self) -> None:
        """Save as Keras does."""
        self.model.save(self.file)

    def prepare(self, step: str) -> None:
        """Do what should not be timed."""
        if step == "save":
            shutil.rmtree(self.place, ignore_errors=True)


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def best_of(contest: Contest, rounds: int) -> dict[str, tuple[float, float]]:
    """Return the best times of kvcs and of Keras for each step."""
    best: dict[str, tuple[float, float]] = {}
    for _ in range(rounds):
        for step, (ours, theirs) in contest.steps().items():
            contest.prepare(step)
            found = timed(ours), timed(theirs)
            old = best.get(step, found)
            best[step] = min(old[0], found[0]), min(old[1], found[1])
    return best


def row(name: str, best: dict[str, tuple[float, float]]) -> str:
    """Return a line of the table: for each step the times in milliseconds, and their ratio."""
    cells = [
        f"{ours * 1000:7.0f} {theirs * 1000:7.0f} {ours / theirs:6.2f}"
        for ours, theirs in (best[step] for step in STEPS)
    ]
    return " | ".join([f"{name:18}", *cells])


def profile(contest: Contest) -> None:
    """Print where kvcs spends its time in each step."""
    for step, (ours, _) in contest.steps().items():
        contest.prepare(step)
        profiler = cProfile.Profile()
        profiler.runcall(ours)
        print(f"\n{step}")
        pstats.Stats(profiler).sort_stats("tottime").print_stats(15)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", default=MODELS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    print(" | ".join([f"{'ms':18}", *(f"{step:>10}: Keras  ratio" for step in STEPS)]))
    with tempfile.TemporaryDirectory() as place:
        for name in given.names:
            contest = Contest(name, Path(place))
            print(row(name, best_of(contest, given.rounds)), flush=True)
            if given.profile:
                profile(contest)


if __name__ == "__main__":
    main()
