"""`kvcs checkout`: a stored model into a file that Keras reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kvcs.commands.export import import_modules
from kvcs.commands.load import load
from kvcs.commands.operand import what_stands_at
from kvcs.commands.saved import opened_model, start_keras_for
from kvcs.errors import OperandError, SaveError
from kvcs.keras_files import NeedsKerasError
from kvcs.workdir import make_wrapper


def checkout(
    operand: str,
    output: str | os.PathLike[str],
    *,
    imports: Sequence[str] = (),
    allow: Sequence[str] = (),
    safe_mode: bool = True,
) -> None:
    """Write a stored model as a `.keras` file; the working tree stays as it is.

    Args:
        operand: a model directory or `REV:DIR`.
        output: the file; it is replaced only when the new one is complete.
        imports: modules to import first, whose classes the model may name.
        allow: modules that are imported only if the model names a class of them.
        safe_mode: refuse what can run code from the model.

    Raises:
        OperandError: there is no such model, or `output` does not end in `.keras`.
        RestoreError: Keras is needed, and cannot build it.
        SaveError: the file cannot be written, or Keras has no way to store the model.
    """
    path = Path(output)
    if path.suffix != ".keras":
        raise OperandError(f"{path}: Keras wants a file name that ends in .keras")
    if what_stands_at(path) == "directory":
        raise SaveError(f"{path} is a directory: name a file")
    if what_stands_at(path.parent) != "directory":
        raise SaveError(
            f"could not write {path}: there is no directory {path.parent}; make it first"
        )
    import_modules(imports)
    try:
        # As for a save: git does not see it, and what a killed process leaves, the next removes.
        with make_wrapper(path.parent) as wrapper:
            (wrapper / "new").mkdir()
            written = wrapper / "new" / "model.keras"
            _write(operand, written, path, allow=(*imports, *allow), safe_mode=safe_mode)
            written.replace(path)
    except OSError as error:
        raise SaveError(f"could not write {path}: {error.strerror or error}") from error


def _write(
    operand: str, written: Path, path: Path, *, allow: Sequence[str], safe_mode: bool
) -> None:
    from kvcs.keras_files import writing

    try:
        with opened_model(operand) as found:
            writing.write(found.model, found.contents, written)
    except NeedsKerasError as error:
        start_keras_for(operand, error)
        _write_through_keras(load(operand, allow=allow, safe_mode=safe_mode), written, path)


def _write_through_keras(model: Any, written: Path, path: Path) -> None:
    from kvcs.keras_io.words import reason

    try:
        model.save(written)
    except OSError:
        raise
    except Exception as error:  # whatever a config holds that Keras' own format does not
        raise SaveError(f"Keras cannot write the model as {path}: {reason(error)}") from error
