"""Repositories with versions of models in them, for tests of log, find and blame. No Keras."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gitrepo import commit_all, git
from networks import Network

from kvcs import workdir
from kvcs.tree import writer

MODEL = Path("models/net")


def network(layers: int = 3) -> tuple[Network, list[int]]:
    """Return a chain of dense layers with names of their own, and their numbers."""
    found = Network()
    on = found.add("InputLayer")
    numbers = []
    for _ in range(layers):
        on = found.add("Dense", on)
        numbers.append(on)
    return found, numbers


def store(model: Network, directory: Path = MODEL) -> Path:
    workdir.replace(directory, writer.files(model.stored(), model.contents()))
    return directory


def version(
    model: Network, message: str, directory: Path = MODEL, metrics: Iterable[str] = ()
) -> str:
    """Commit a network; return the hash."""
    store(model, directory)
    trailers = "\n".join(f"Kvcs-Metric: {metric}" for metric in metrics)
    return commit_all(Path(), f"{message}\n\n{trailers}".strip())


def short(revision: str = "HEAD") -> str:
    return git(Path(), "rev-parse", "--short", revision)
