"""`kvcs checkout`: a stored model into a file that Keras reads."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kvcs.commands.export import import_modules
from kvcs.commands.load import load
from kvcs.errors import OperandError, SaveError


def checkout(
    operand: str,
    output: str | os.PathLike[str],
    *,
    imports: Sequence[str] = (),
    safe_mode: bool = True,
) -> None:
    """Write a stored model as a `.keras` file; the working tree stays as it is.

    Args:
        operand: a model directory or `REV:DIR`.
        output: the file; it is replaced only when the new one is complete.
        imports: modules to import first, which register custom classes.
        safe_mode: refuse what can run code from the model.

    Raises:
        OperandError: there is no such model, or `output` does not end in `.keras`.
        RestoreError: it cannot be built here.
        SaveError: the file cannot be written.
    """
    path = Path(output)
    if path.suffix != ".keras":
        raise OperandError(f"{path}: Keras wants a file name that ends in .keras")
    if path.is_dir():
        raise SaveError(f"{path} is a directory: name a file")
    import_modules(imports)
    model = load(operand, safe_mode=safe_mode)
    try:
        with tempfile.TemporaryDirectory(prefix=".kvcs-", dir=path.parent) as directory:
            written = Path(directory, "model.keras")
            model.save(written)
            written.replace(path)
    except OSError as error:
        raise SaveError(f"could not write {path}: {error.strerror}") from error
