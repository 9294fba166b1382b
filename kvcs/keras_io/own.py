"""What a layer saves by itself, by `save_own_variables` and `save_assets`, beside its variables."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import keras
import numpy as np

from kvcs.errors import RestoreError, SaveError
from kvcs.keras_io.lookup import (
    IDF_WEIGHTS,
    is_lookup,
    is_wrapper,
    load_vocabulary,
    saved_vocabulary,
)
from kvcs.keras_io.survey import Place, to_numpy
from kvcs.keras_io.values import Contents
from kvcs.keras_io.words import reason
from kvcs.names import segment, segments
from kvcs.npy import Array
from kvcs.spec import LayerSpec


def extra_values(place: Place) -> tuple[dict[str, dict[str, str]], dict[str, Array]]:
    """Ask layers with a `save_own_variables` of their own for what is not among their variables.

    Returns:
        For every such part, the keys of its store with the name of the tensor that holds the
        value; and the arrays that are no variable's, by the name of their tensor.
    """
    extra: dict[str, dict[str, str]] = {}
    arrays: dict[str, Array] = {}
    for key, part in place.parts.items():
        if not speaks_for_itself(part):
            continue
        store: dict[str, Any] = {}
        part.save_own_variables(store)
        names = {id(variable): name for name, variable in place.variables.items()}
        keys = {}
        for name, plain in zip(store, segments([str(name) for name in store]), strict=True):
            value = store[name]
            if id(value) in names:
                keys[str(name)] = names[id(value)]
                continue
            array = np.asarray(keras.ops.convert_to_numpy(value))
            same = _variable_with(place, array)
            keys[str(name)] = same or (f"{key}/own/{plain}" if key else f"own/{plain}")
            if same is None:
                arrays[keys[str(name)]] = array
        extra[key or "."] = keys
    return extra, arrays


def speaks_for_itself(part: Any) -> bool:
    """Tell whether a layer stores more than its variables.

    Keras' own layers override `save_own_variables` to order their variables, or to merge LoRA
    factors away, which is what must not happen here; two of them keep values elsewhere.
    """
    method = getattr(type(part), "save_own_variables", None)
    if method is None or not isinstance(part, keras.layers.Layer):
        return False
    owner = next(cls for cls in type(part).__mro__ if "save_own_variables" in vars(cls))
    if owner.__name__ in ("IndexLookup", "TorchModuleWrapper"):
        return True
    return not owner.__module__.startswith("keras.")


def _variable_with(place: Place, array: Array) -> str | None:
    for name, variable in place.variables.items():
        if tuple(variable.shape) == array.shape:
            value = to_numpy(variable)
            if value.dtype == array.dtype and value.tobytes() == array.tobytes():
                return name
    return None


def saved_assets(part: Any) -> dict[str, bytes]:
    """Return the files that `save_assets` of a layer writes, by relative path."""
    if is_lookup(part):
        return saved_vocabulary(part)
    if not hasattr(part, "save_assets") or is_wrapper(part):
        return {}
    with tempfile.TemporaryDirectory(prefix="kvcs-") as directory:
        part.save_assets(directory)
        root = Path(directory)
        files = [path for path in sorted(root.rglob("*")) if path.is_file()]
        return {_stored_path(path.relative_to(root).parts): path.read_bytes() for path in files}


def _stored_path(parts: tuple[str, ...]) -> str:
    """Return the path of an asset with each part made plain, so that `unquote` undoes it."""
    plain = [segment(part) for part in parts]
    if [unquote(part) for part in plain] != list(parts):
        raise SaveError(f"an asset cannot be named {'/'.join(parts)!r}: the name is too long")
    return "/".join(plain)


def load_own(place: Place, layer: LayerSpec, contents: Contents) -> None:
    """Hand assets, and what `save_own_variables` stored, to the layers that ask for them."""
    assets = _assets_by_part(place, layer)
    for key, part in place.parts.items():
        keys = layer.extra.get(key or ".", {})
        store: dict[str, Any] = {
            name: contents[place.below(f"{tensor}.npy")]() for name, tensor in keys.items()
        }
        files = {
            path[len(f"{key}/") if key else 0 :]: bytes(contents[place.below(f"assets/{path}")]())
            for path in assets.get(key, ())
        }
        if files and is_lookup(part):
            load_vocabulary(part, files, store.get(IDF_WEIGHTS))
        if speaks_for_itself(part):
            part.load_own_variables(store)
        if files and not is_lookup(part):
            _load_assets(part, files)


def _assets_by_part(place: Place, layer: LayerSpec) -> dict[str, list[str]]:
    """Return the assets of a layer by the innermost part that takes them."""
    takers = sorted((key for key, part in place.parts.items() if _takes_assets(part)), key=len)
    found: dict[str, list[str]] = {}
    for path in layer.assets:
        owners = [key for key in takers if not key or path.startswith(f"{key}/")]
        if not owners:
            raise RestoreError(
                f"nothing in {place.path or 'the model'} takes the asset {path!r}: "
                "does a custom class have no load_assets() any more?"
            )
        found.setdefault(owners[-1], []).append(path)
    return found


def _takes_assets(part: Any) -> bool:
    return hasattr(part, "load_assets") and not is_wrapper(part)


def _leads_away(step: str) -> bool:
    """Tell a part of a file's name that is none: it was percent-encoded, and is checked anew."""
    return step in ("", ".", "..") or any(mark in step for mark in "/\\:\0")


def _load_assets(part: Any, assets: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory(prefix="kvcs-") as directory:
        for path, data in assets.items():
            parts = [unquote(step) for step in path.split("/")]
            if any(_leads_away(step) for step in parts):
                raise RestoreError(f"the asset {path!r} is refused: its name leads elsewhere")
            file = Path(directory, *parts)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        try:
            part.load_assets(directory)
        except Exception as error:  # a method of any class
            raise RestoreError(
                f"{type(part).__name__} {part.name!r} cannot load its assets: {reason(error)}"
            ) from error
