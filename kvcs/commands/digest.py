"""`kvcs.digest`: what a model is, in one line, or file by file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from kvcs.commands.fetching import fetch
from kvcs.commands.operand import Model, Stored, described, opened
from kvcs.errors import OperandError
from kvcs.tree.digests import Digests
from kvcs.tree.digests import digests as digests_of
from kvcs.tree.statement import file_digests, statement
from kvcs.workdir import Directory

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


def manifest(operand: Model) -> dict[str, Any]:
    """Return a statement about every file of a stored model, for tools that sign models.

    It is an in-toto Statement with the predicate of OpenSSF Model Signing; see
    `kvcs.tree.statement`. The same model has the same statement, in a directory and in a revision.

    Args:
        operand: a model directory or `REV:DIR`.

    Raises:
        OperandError: there is no such model.
        DamageError: it is not whole.
    """
    with opened(operand) as stored:
        fetch(stored.files, pointed=False)
        return statement(_last_name(stored), file_digests(stored.files, stored.name))


def _last_name(stored: Stored) -> str:
    """Return what the directory of a model is called; of one in the root, the model itself."""
    if isinstance(stored.files, Directory):
        return Path(os.path.realpath(stored.name)).name
    return PurePosixPath(stored.name.rpartition(":")[2]).name or stored.model().name
