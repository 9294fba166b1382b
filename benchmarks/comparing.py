"""How long it takes to compare a network with a fine-tuned version of it, both in git.

    python benchmarks/comparing.py [--rounds N] [--profile] [NAME]...

`matching` pairs the layers of two models that are in memory, `command` is `kvcs diff` as a process
of its own: without the statistics of weights, and with them. All weights have changed; their speed
is the size of the new ones by the time that statistics add to the command. `peak` is the largest
memory of that process, and of its like without statistics. The best of several rounds counts.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Keras and TensorFlow read these once, at import.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

from kvcs import comparison
from kvcs.comparison.flatten import flatten
from kvcs.comparison.matcher import match
from kvcs.repo import Repository
from kvcs.tree import reader

MODELS = ("ResNet50", "EfficientNetB7")
OLD, NEW = "HEAD~1:model", "HEAD:model"

# In a process of its own, for TensorFlow's memory and threads would be measured, too.
MAKE = """
import sys
import keras, numpy, kvcs
model = getattr(keras.applications, sys.argv[1])(weights=None)
kvcs.commit(model, "model", "Make it")
random = numpy.random.default_rng(0)
for weight in model.weights:
    noise = 1e-3 * random.standard_normal(weight.shape)
    weight.assign(weight + noise.astype(weight.dtype))
kvcs.commit(model, "model", "Train it")
print(sum(weight.numpy().nbytes for weight in model.weights))
"""


@dataclass(frozen=True)
class Run:
    """What a process took: seconds, and bytes at most."""

    seconds: float
    peak: int


def make(name: str, place: Path) -> int:
    """Commit a network and its fine-tuned version; return the bytes of its weights."""
    place.mkdir()
    git = ("git", "-C", str(place))
    subprocess.run([*git, "init", "--quiet"], check=True)
    for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        subprocess.run([*git, "config", key, value], check=True)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAKE, name],
        cwd=place, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return int(done.stdout.split()[-1])


def command(place: Path, *options: str) -> Run:
    """Run `kvcs diff` in a process of its own."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "kvcs", "diff", OLD, NEW, *options],
        cwd=place, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return Run(time.perf_counter() - start, used.ru_maxrss * 1024)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def matching(place: Path) -> float:
    """Return the seconds that pairing the layers takes."""
    with Repository.discover(place) as repository:
        models = [reader.read(repository.revision(each), each) for each in (OLD, NEW)]
    graphs = [flatten(model) for model in models]
    return timed(lambda: match(*graphs, None, None))


def row(name: str, place: Path, size: int, rounds: int) -> str:
    """Measure, and return a line of the table."""
    pairs = min(matching(place) for _ in range(rounds))
    without = [command(place, "--no-stats") for _ in range(rounds)]
    with_them = [command(place) for _ in range(rounds)]
    short, long = (min(run.seconds for run in runs) for runs in (without, with_them))
    peaks = " ".join(f"{max(run.peak for run in runs) / 1e6:6.0f}" for runs in (without, with_them))
    return (
        f"{name:16} {pairs * 1000:9.0f} {short * 1000:11.0f} {long * 1000:10.0f}"
        f" {size / 1e6 / (long - short):9.0f} {peaks}"
    )


def profile(place: Path) -> None:
    """Print where the time of a comparison with statistics goes."""
    with Repository.discover(place) as old, Repository.discover(place) as new:
        files = old.revision(OLD), new.revision(NEW)
        profiler = cProfile.Profile()
        profiler.enable()
        models = [reader.read(each, "model") for each in files]
        contents = [reader.Contents(*both, "model") for both in zip(files, models, strict=True)]
        comparison.weighed_diff(*models, *contents)
        profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", default=MODELS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    print(
        f"{'':16} {'matching':>9} {'--no-stats':>11} {'with them':>10} {'weights':>9} {'peaks':>13}"
    )
    print(f"{'':16} {'ms':>9} {'ms':>11} {'ms':>10} {'MB/s':>9} {'MB':>13}")
    with tempfile.TemporaryDirectory() as top:
        for name in given.names:
            place = Path(top, name)
            size = make(name, place)
            print(row(name, place, size, given.rounds), flush=True)
            if given.profile:
                profile(place)


if __name__ == "__main__":
    main()
