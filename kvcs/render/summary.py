"""What changed in the models of a commit, one line for each."""

from __future__ import annotations

from kvcs.comparison import Diff
from kvcs.render.verdict import verdict
from kvcs.render.words import count


def changed(name: str, diff: Diff) -> str:
    """Say what was done to a model, by a diff that read no weights."""
    said = verdict(diff)
    if said.startswith(("FINE-TUNE: ", "RETRAINED: ")):  # which of the two, only weights tell
        said = f"WEIGHTS: {said.partition(': ')[2]}"
    before, after = diff.old.parameters, diff.new.parameters
    params = "" if before == after else f"; params {before:,} → {after:,}"
    return f"{name}: {said}{params}"


def added(name: str, layers: int, parameters: int) -> str:
    """Say that there is a new model."""
    return f"{name}: NEW: {count(layers, 'layer')}, {count(parameters, 'parameter')}"


def removed(name: str) -> str:
    """Say that a model is gone."""
    return f"{name}: REMOVED"
