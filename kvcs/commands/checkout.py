"""`kvcs checkout`: a stored model into a file that Keras reads."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kvcs.commands.export import import_modules
from kvcs.commands.load import load
from kvcs.commands.operand import is_saved_file, opened, what_stands_at
from kvcs.commands.quiet import quiet_start
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
    if what_stands_at(path) == "directory":
        raise SaveError(f"{path} is a directory: name a file")
    if what_stands_at(path.parent) != "directory":
        raise SaveError(
            f"could not write {path}: there is no directory {path.parent}; make it first"
        )
    if not is_saved_file(operand):
        with opened(operand) as stored:
            stored.model()  # says what is wrong with it before Keras starts, which takes seconds
    import_modules(imports)
    quiet_start()
    model = load(operand, safe_mode=safe_mode)
    from kvcs.keras_io.words import reason

    try:
        # Not a name that `kvcs.workdir` takes for one of its own.
        with tempfile.TemporaryDirectory(prefix=".kvcs-checkout-", dir=path.parent) as directory:
            written = Path(directory, "model.keras")
            model.save(written)
            written.replace(path)
    except OSError as error:
        raise SaveError(f"could not write {path}: {error.strerror or error}") from error
    except Exception as error:  # whatever a config holds that Keras' own format does not
        raise SaveError(f"Keras cannot write the model as {path}: {reason(error)}") from error
