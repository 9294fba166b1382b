"""Weights and layers that two layers share, shared again where a class built each its own.

A layer that is given another one (an output that reuses an embedding) serialises it with its own
config, and so gets a copy of it on loading.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras.src.backend import Variable

from kvcs.keras_io.attributes import BOOKKEEPING
from kvcs.keras_io.survey import Place, places, weights
from kvcs.spec import LayerSpec, StoredModel, walk


def tie(root: Place, stored: StoredModel) -> None:
    """Put the shared weights and layers in the place of the copies of them.

    What cannot be found is left, and comes out when tied variables are compared.
    """
    described = dict(walk(stored.model))
    shared = _by_path(root)
    for place in places(root):
        layer = described.get(place.path)
        for name, owner in sorted(layer.tied.items()) if layer else ():
            copy = (place.parts | place.variables | place.seeds).get(name)
            original = shared.get(owner)
            if copy is not None and original is not None and type(copy) is type(original):
                _replace(_holder(place, name), copy, original, untrack=_is_gone(layer, place))


def _by_path(root: Place) -> Mapping[str, Any]:
    found: dict[str, Any] = dict(weights(root))
    for place in places(root):
        found |= {place.below(name): seed for name, seed in place.seeds.items()}
        found |= {place.below(key): part for key, part in place.parts.items() if key}
        found[place.path] = place.layer
    return found


def _holder(place: Place, name: str) -> Any:
    """Return the innermost part that what has this name belongs to."""
    around = [key for key in place.parts if key != name and (not key or name.startswith(f"{key}/"))]
    return place.parts[max(around, key=len)]


def _is_gone(layer: LayerSpec | None, place: Place) -> bool:
    """Tell whether the copy must go, which Keras goes on counting to the layer by itself."""
    return layer is None or not any(
        "variables/" in name for name in layer.tensors if name not in place.variables
    )


def _replace(holder: Any, copy: Any, original: Any, *, untrack: bool) -> None:
    tracker = holder._tracker
    locked = tracker.locked
    tracker.unlock()  # as Keras itself does where it exchanges variables of a built layer
    try:
        if untrack:
            tracker.untrack(copy)
        attributes = {**vars(holder), **vars(holder).get("_modules", {})}
        for name, value in attributes.items():
            if value is copy:
                setattr(holder, name, original)
            elif isinstance(value, list | dict) and not name.startswith(BOOKKEEPING):
                _replace_inside(value, copy, original)
    finally:
        if locked:
            tracker.lock()


def _replace_inside(container: Any, copy: Any, original: Any) -> None:
    items = container.items() if isinstance(container, dict) else enumerate(container)
    for key, item in list(items):
        if item is copy and not isinstance(item, Variable):
            container[key] = original
        elif isinstance(item, list | dict):
            _replace_inside(item, copy, original)
