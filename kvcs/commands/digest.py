"""`kvcs.digest`: what a model is, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal, get_args

from kvcs.commands.operand import Model, described
from kvcs.errors import OperandError
from kvcs.tree.digests import Digests
from kvcs.tree.digests import digests as digests_of

Part = Literal["architecture", "weights", "state", "whole"]


def digest(
    operand: Model, part: Part = "whole", *, custom_objects: Mapping[str, Any] | None = None
) -> str:
    """Return a digest of a model: the same for a directory, a revision and a live model.

    Args:
        operand: any MODEL.
        part: `architecture` (classes, configs, connections), `weights`, `state` (random seeds,
            optimizer) or `whole`.
        custom_objects: needed for a Keras file with custom classes.

    Returns:
        `sha256:` and 64 hexadecimal digits.

    Raises:
        OperandError: there is no such model, or no such part.
    """
    if part not in get_args(Part):
        raise OperandError(f"no digest is called {part!r}: there are {', '.join(get_args(Part))}")
    return str(asdict(digests(operand, custom_objects=custom_objects))[part])


def digests(operand: Model, *, custom_objects: Mapping[str, Any] | None = None) -> Digests:
    """Return all four digests of a model; see `digest`."""
    with described(operand, custom_objects) as stored:
        return digests_of(stored.model())
