"""The Keras objects among the attributes of a live object: where its layers and variables stand."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import keras
from keras.src.backend import Variable  # keras.Variable is another class up to Keras 3.6
from keras.src.saving.keras_saveable import KerasSaveable

from kvcs.errors import SaveError
from kvcs.names import segments

SeedGenerator = keras.random.SeedGenerator

# What `compile()` attaches belongs to training, and metric state is left out on purpose: `fit`
# resets it, and it would touch every commit.
_TRAINING = (keras.optimizers.Optimizer, keras.metrics.Metric, keras.losses.Loss)

# What weights and random state are found in.
_STATE = (KerasSaveable, Variable, SeedGenerator)

# Values of most attributes, which hold nothing.
_EMPTY_HANDED = frozenset({bool, int, float, str, type(None)})

# Bookkeeping of containers and backends, which holds the layers a second time.
BOOKKEEPING = (
    *("_functional", "_operations", "_nodes", "_inputs", "_outputs", "_torch"),
    # TensorFlow's; any other "_self_…" is an attribute like `_self_attention_layer`.
    *("_self_unconditional_", "_self_update_", "_self_name_based_", "_self_saveable_"),
    *("_self_setattr_", "_self_tracked_", "_self_extra_"),
)


def held_by(owner: Any, kinds: Any = _STATE) -> dict[str, Any]:
    """Return the Keras objects among the attributes of an object, by their attribute path.

    Sorted by name, public before private, without the leading underscores, for `_kernel` is the
    `kernel` of `Dense`. Lists and dicts are looked into.
    """
    found = {**vars(owner), **vars(owner).get("_modules", {})}
    plain = _plain_attributes(isinstance(owner, keras.Model))
    names = sorted(
        (
            name
            for name, value in found.items()
            if type(value) not in _EMPTY_HANDED
            and name not in plain
            and not name.startswith(BOOKKEEPING)
        ),
        key=lambda name: (name.lstrip("_"), len(name) - len(name.lstrip("_"))),
    )
    inside = {name: list(_held(found[name], kinds, frozenset())) for name in names}
    names = [name for name in names if inside[name]]
    under = segments([name.lstrip("_") or name for name in names])
    return {
        "/".join((plain_name, *keys)): child
        for plain_name, name in zip(under, names, strict=True)
        for keys, child in inside[name]
    }


def _held(value: Any, kinds: Any, above: frozenset[int]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the Keras objects in the value of an attribute, with what leads to each."""
    if isinstance(value, KerasSaveable | Variable | SeedGenerator):
        if isinstance(value, kinds) and (kinds is not _STATE or not isinstance(value, _TRAINING)):
            yield (), value
    elif isinstance(value, list | tuple | deque | Mapping) and id(value) not in above:
        items = value if isinstance(value, Mapping) else dict(enumerate(value))
        for plain, item in zip(segments([str(key) for key in items]), items.values(), strict=True):
            for keys, child in _held(item, kinds, above | {id(value)}):
                yield (plain, *keys), child
    elif isinstance(value, set | frozenset):
        for item in value:
            if isinstance(item, kinds) and not isinstance(item, _TRAINING):
                raise SaveError(
                    f"a set holds {type(item).__name__} {getattr(item, 'name', '')!r}, and sets "
                    "have no order to find it by: use a list or a dict"
                )


@cache
def _plain_attributes(model: bool) -> frozenset[str]:
    """Return the attributes that every layer, or every model, has."""
    plain = keras.Model(name="plain") if model else keras.layers.Layer(name="plain")
    return frozenset(vars(plain)) | frozenset(vars(plain).get("_modules", {}))
