"""`kvcs export`: a saved model, or one that a function builds, into a model directory."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kvcs.commands.json_source import SUFFIX, model_of_json
from kvcs.commands.operand import is_live, is_saved_file, what_stands_at
from kvcs.commands.quiet import quiet_start, stderr_held_back
from kvcs.commands.save import save
from kvcs.commands.saved import opened_file
from kvcs.commands.weights_source import WEIGHTS, export_weights
from kvcs.errors import OperandError
from kvcs.tree import writer
from kvcs.workdir import Replaced, replace

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_FACTORY = re.compile(rf"{_MODULE.pattern}:{_MODULE.pattern}")


def export(
    source: str,
    directory: str | os.PathLike[str],
    *,
    optimizer: bool = True,
    architecture: str | None = None,
    imports: Sequence[str] = (),
    allow: Sequence[str] = (),
    safe_mode: bool = True,
    compile: bool = True,  # noqa: A002  (Keras' own word for it)
    weights: str | None = None,
) -> Replaced:
    """Turn a saved model into a model directory.

    Args:
        source: a `.keras` or `.h5` file, the JSON of a model with its `weights`, or
            `package.module:factory`, where `factory` is a model or a function without arguments
            that returns one. A `.weights.h5` file, which holds no model, takes one from
            `architecture`.
        directory: the model directory to write.
        architecture: for a `.weights.h5` file, the model whose weights it holds: another
            MODEL. By default what stands in `directory`.
        optimizer: also write the optimizer's variables.
        imports: modules to import first, whose classes the model may name.
        allow: modules that are imported only if the model names a class of them.
        safe_mode: refuse to load what can run code from the file.
        compile: compile the model as it was.
        weights: of a JSON file, see `kvcs.commands.json_source`.

    Raises:
        OperandError: there is no such source.
        RestoreError: it is damaged, or Keras is needed and cannot load it.
        SaveError: it cannot be written. Nothing was.
    """
    factory = _FACTORY.fullmatch(source) is not None and what_stands_at(source) == "nothing"
    described = Path(source).suffix == SUFFIX and what_stands_at(source) == "file"
    if not (factory or described or is_saved_file(source)):
        raise OperandError(_no_source(source))
    alone = source.endswith(WEIGHTS) and not factory
    if weights is not None and not described:
        raise OperandError(f"{source} has weights of its own: --weights goes with a .json file")
    if architecture is not None and not alone:
        raise OperandError(f"{source} holds a model, and takes no architecture from another one")
    import_modules(imports)
    trusted = (*imports, *allow)
    if alone:
        return export_weights(
            source,
            directory,
            architecture,
            optimizer=optimizer,
            allow=trusted,
            safe_mode=safe_mode,
        )
    if factory:
        return save(_made_by(source), directory, optimizer=optimizer)
    if described:
        quiet_start()
        model = model_of_json(source, weights, allow=trusted, safe_mode=safe_mode)
        return save(model, directory, optimizer=optimizer)
    with opened_file(
        source, optimizer=optimizer, allow=trusted, compile=compile, safe_mode=safe_mode
    ) as found:
        return replace(Path(directory), writer.files(found.model, found.contents))


def _no_source(source: str) -> str:
    if not source or what_stands_at(source) == "nothing":
        return (
            f"{source or repr(source)}: no such file. A source is a .keras, .h5 or "
            ".json file, or package.module:factory for a function that returns a model"
        )
    return (
        f"{source} is not a source: expected a .keras, .h5 or .json file, or package.module:factory"
    )


def import_modules(names: Sequence[str]) -> None:
    """Import modules by name, those of the current directory included.

    Without a name nothing happens: nobody asked to run what the current directory holds.

    Raises:
        OperandError: there is no such module.
    """
    if not names:
        return
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    for name in names:
        if not _MODULE.fullmatch(name):
            raise OperandError(f"{name!r} cannot be the name of a module")
        try:
            with stderr_held_back():  # the module is likely the first to import Keras
                importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise OperandError(
                f"cannot import {name}: there is no module {error.name}, "
                "neither here nor among the installed ones"
            ) from None


def _made_by(source: str) -> Any:
    module_name, _, attribute = source.partition(":")
    import_modules([module_name])
    found: Any = sys.modules[module_name]
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise OperandError(
                f"module {module_name} has no {attribute}: name a function that returns a model"
            )
        found = getattr(found, name)
    if not is_live(found) and callable(found):
        _check_without_arguments(source, found)
        found = found()
    if not is_live(found):
        raise OperandError(
            f"{source} yields {type(found).__name__}, not a keras.Model: "
            "name a function that returns a model"
        )
    return found


def _check_without_arguments(source: str, factory: Callable[..., Any]) -> None:
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise OperandError(
            f"{source} cannot be called without arguments ({error}): "
            "name a function that needs none"
        ) from None
    except ValueError:  # written in C, and does not say what it wants
        pass
