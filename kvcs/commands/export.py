"""`kvcs export`: a saved model, or one that a function builds, into a model directory."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kvcs.commands.load import load
from kvcs.commands.operand import is_live, is_saved_file
from kvcs.commands.save import save
from kvcs.errors import OperandError
from kvcs.workdir import Replaced

_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def export(
    source: str,
    directory: str | os.PathLike[str],
    *,
    optimizer: bool = True,
    imports: Sequence[str] = (),
    safe_mode: bool = True,
) -> Replaced:
    """Turn a saved model into a model directory.

    Args:
        source: a `.keras` or `.h5` file, or `package.module:factory`, where `factory` is a
            model or a function without arguments that returns one.
        directory: the model directory to write.
        optimizer: also write the optimizer's variables.
        imports: modules to import first, which register custom classes.
        safe_mode: refuse to load what can run code from the file.

    Raises:
        OperandError: there is no such source.
        RestoreError: Keras cannot load it.
        SaveError: it cannot be written. Nothing was.
    """
    import_modules(imports)
    if _FACTORY.fullmatch(source) and not Path(source).exists():
        model = _made_by(source)
    elif is_saved_file(source):
        model = load(source, safe_mode=safe_mode)
    else:
        raise OperandError(_no_source(source))
    return save(model, directory, optimizer=optimizer)


def _no_source(source: str) -> str:
    if not Path(source).exists():
        return (
            f"{source}: no such file. A source is a .keras or .h5 file, "
            "or package.module:factory for a function that returns a model"
        )
    return f"{source} is not a source: expected a .keras or .h5 file, or package.module:factory"


def import_modules(names: Sequence[str]) -> None:
    """Import modules by name, those of the current directory included.

    Raises:
        OperandError: there is no such module.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise OperandError(f"cannot import {name}: there is no module {error.name}") from None


def _made_by(source: str) -> Any:
    module_name, _, attribute = source.partition(":")
    import_modules([module_name])
    found: Any = sys.modules[module_name]
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise OperandError(f"module {module_name} has no {attribute}")
        found = getattr(found, name)
    model = found() if callable(found) and not is_live(found) else found
    if not is_live(model):
        raise OperandError(f"{source} yields {type(model).__name__}, not a keras.Model")
    return model
