"""How long kvcs takes to save and load a model, by the time that Keras takes for its own file.

    python benchmarks/against_keras.py [--rounds N] [--profile] [NAME]...

Both save and load the same model in the same process, in turns. Printed are the best times, and
three ratios: of the best times, of the medians, and of the least time on a processor, user and
system together, of all threads. A ratio below one says that kvcs is faster. `save again` is a save
into a directory that holds the model already, of which Keras knows nothing: it is set against a
full save of Keras.

Nobody pays for what another one left. Every round has places of its own, for a file system may take
longer where something has just been removed; and what is still to be written is written first, for
a save by kvcs ends when the disk has it, and one by Keras before.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
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
    """One model in one round, and the two ways to save and load it."""

    def __init__(self, model: keras.Model, place: Path) -> None:
        self.model, self.place, self.file = model, place / "model", place / "model.keras"
        place.mkdir()

    def steps(self) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
        """Return what kvcs and what Keras does in each step, in the order they can be done in."""
        return {
            "save": (self.save, self.keras_save),
            "save again": (self.save, self.keras_save),
            "load": (lambda: kvcs.load(self.place), lambda: keras.saving.load_model(self.file)),
        }

    def save(self) -> None:
        """Save as kvcs does."""
        kvcs.save(self.model, self.place)

    def keras_save(self) -> None:
        """Save as Keras does."""
        self.model.save(self.file)


@dataclass(frozen=True)
class Taken:
    """What something took, in seconds: on the clock, and on processors."""

    clock: float
    processor: float


def timed(work: Callable[[], Any]) -> Taken:
    """Return what something takes."""
    os.sync()
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return Taken(time.perf_counter() - clock, time.process_time() - processor)


def compared(ours: list[Taken], theirs: list[Taken]) -> str:
    """Return the cells of one step: the best times in milliseconds, and three ratios."""
    best = [min(one.clock for one in all_of) for all_of in (ours, theirs)]
    median = [statistics.median(one.clock for one in all_of) for all_of in (ours, theirs)]
    processor = [min(one.processor for one in all_of) for all_of in (ours, theirs)]
    ratios = "".join(f"{mine / its:9.2f}" for mine, its in (best, median, processor))
    return f"{best[0] * 1000:7.0f} {best[1] * 1000:7.0f} {ratios}"


def contest(name: str, place: Path, rounds: int) -> None:
    """Print a line for each step of a model."""
    model = getattr(keras.applications, name)(weights=None)
    found: dict[str, tuple[list[Taken], list[Taken]]] = {step: ([], []) for step in STEPS}
    for number in range(rounds):
        for step, works in Contest(model, place / f"{name}-{number}").steps().items():
            for taken, work in zip(found[step], works, strict=True):
                taken.append(timed(work))
    for step, (ours, theirs) in found.items():
        print(f"{name:18} {step:11} {compared(ours, theirs)}", flush=True)


def profile(name: str, place: Path) -> None:
    """Print where kvcs spends its time in each step."""
    model = getattr(keras.applications, name)(weights=None)
    for step, (ours, _) in Contest(model, place / f"{name}-profile").steps().items():
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
    print(f"{'':30} {'ms':>7} {'Keras':>7} {'best':>9}{'median':>9}{'processor':>10}")
    with tempfile.TemporaryDirectory() as place:
        for name in given.names:
            contest(name, Path(place), given.rounds)
            if given.profile:
                profile(name, Path(place))


if __name__ == "__main__":
    main()
