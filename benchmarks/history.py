"""How long kvcs takes to look at the past of a model, as whole processes from start to exit.

    python benchmarks/history.py [--versions N] [--layers N] [--rounds N]

Two histories are made, of a model with two weights in each layer: in one, a version changes one
layer, in the other all of them. The best of several rounds counts. `git log --stat` of the same
directory, which reads no model, is what there is to compare with.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kvcs import workdir
from kvcs.spec import ClassRef, LayerEntry, LayerSpec, ModelSpec, StoredModel, TensorSpec
from kvcs.tree import writer

MODEL = "models/net"
WIDTH = 16
COMMANDS = {
    "log": ["log", MODEL],
    "log -n 10": ["log", MODEL, "-n", "10"],
    "blame": ["blame", MODEL],
    "find": ["find", f"HEAD~1:{MODEL}"],
}


class Trained:
    """A model of dense layers, and weights that change."""

    def __init__(self, layers: int) -> None:
        self.random = np.random.default_rng(0)
        self.names = ["dense", *(f"dense_{at}" for at in range(1, layers))]
        self.weights: dict[str, np.ndarray] = {}
        self.train(range(layers))

    def train(self, layers: Sequence[int]) -> None:
        """Give layers other weights."""
        for at in layers:
            place = f"layers/{self.names[at]}"
            self.weights[f"{place}/kernel.npy"] = self.random.random((WIDTH, WIDTH), np.float32)
            self.weights[f"{place}/bias.npy"] = self.random.random(WIDTH, np.float32)

    def write(self, directory: Path) -> None:
        """Write the model as it is now."""
        contents = {path: lambda value=value: value for path, value in self.weights.items()}
        workdir.replace(directory, writer.files(self.stored(), contents))

    def stored(self) -> StoredModel:
        """Describe the model."""
        model = ModelSpec(
            cls=ClassRef("keras", "Sequential"),
            config={"trainable": True},
            build="sequence",
            layers=tuple(self.entry(name) for name in self.names),
        )
        return StoredModel(model=model, name="sequential", keras_version="3.15.1")

    def entry(self, name: str) -> LayerEntry:
        """Describe a layer."""
        path = f"layers/{name}"
        tensors = {
            weight: TensorSpec(
                file=f"{weight}.npy",
                dtype="float32",
                shape=self.weights[f"{path}/{weight}.npy"].shape,
                trainable=True,
            )
            for weight in ("bias", "kernel")
        }
        config = {"units": WIDTH, "activation": "relu", "use_bias": True, "trainable": True}
        layer = LayerSpec(cls=ClassRef("keras.layers", "Dense"), config=config, tensors=tensors)
        return LayerEntry(name=name, path=path, calls=(), layer=layer)


def git(directory: Path, *arguments: str) -> None:
    """Run git as somebody who reads no settings of this machine."""
    who = {
        f"GIT_{one}_{key}": "a@b" for one in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")
    }
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *arguments], cwd=directory, env=environment, check=True)


def make(directory: Path, versions: int, layers: int, *, everything: bool) -> None:
    """Make a repository with some versions of a model."""
    directory.mkdir()
    git(directory, "init", "--quiet")
    model = Trained(layers)
    for at in range(versions):
        model.train(range(layers) if everything else [at % layers])
        model.write(directory / MODEL)
        git(directory, "add", "--all")
        metric = f"Kvcs-Metric: loss={1 / (at + 1)}"
        git(directory, "commit", "--quiet", "--message", f"Epoch {at + 1}\n\n{metric}")


def seconds(command: Sequence[str], directory: Path, rounds: int) -> float:
    """Return the least time that a process takes."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--versions", type=int, default=100)
    parser.add_argument("--layers", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(f"{given.versions} versions of a model with {2 * given.layers} tensors, seconds")
    print(f"{'':16}{'one layer a version':>22}{'all of them':>22}")
    with tempfile.TemporaryDirectory() as place:
        homes = Path(place, "one"), Path(place, "all")
        for home in homes:
            make(home, given.versions, given.layers, everything=home.name == "all")
        rows = {f"kvcs {name}": [sys.executable, "-m", "kvcs", *rest] for name, rest in
                COMMANDS.items()}  # fmt: skip
        rows["git log --stat"] = ["git", "log", "--stat", "--", MODEL]
        for name, command in rows.items():
            found = [seconds(command, home, given.rounds) for home in homes]
            print(f"{name:16}{found[0]:22.2f}{found[1]:22.2f}", flush=True)


if __name__ == "__main__":
    main()
