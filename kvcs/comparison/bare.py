"""A model without its weights, as JSON describes one: what is compared with such a description."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from kvcs.spec import (
    MISSING,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    SharedLayer,
    StateSpec,
    StoredModel,
)

L = TypeVar("L", bound=LayerSpec)


def bare(stored: StoredModel, other: StoredModel | None = None) -> StoredModel:
    """Return a model without weights, assets and state.

    Args:
        stored: the model.
        other: what it is compared with: what `compile()` was given is left out where that is not
            compiled, for its JSON may not say it.
    """
    compiled = other is None or other.training is not MISSING
    return replace(
        stored,
        model=_bare(stored.model),
        training=stored.training if compiled else MISSING,
        state=StateSpec(),
        optimizer=MISSING,
    )


def _bare(layer: L) -> L:
    found = replace(layer, tensors={}, tied={}, extra={}, assets={})
    if isinstance(found, ModelSpec):
        return replace(found, layers=tuple(map(_entry, found.layers)))
    return found


def _entry(entry: LayerEntry) -> LayerEntry:
    if isinstance(entry.layer, SharedLayer):
        return entry
    return replace(entry, layer=_bare(entry.layer))
