"""An optimizer's variables by the weight they belong to.

Keras names a slot after the path its weight had when the optimizer was built, which changes with
every rebuild. Here a slot is `<attribute>/<place of the weight>`, as in
`velocities/layers/dense/kernel`; what belongs to no weight is named by its attribute alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
from keras.src.backend import Variable

from kvcs.keras_io.survey import Place, held_optimizers, places
from kvcs.names import segment

OTHERS = "@"  # no attribute name becomes this
Optimizer = keras.optimizers.Optimizer

# Lists that hold every variable, or the weights themselves, once more.
_BOOKKEEPING = {"_variables", "_trainable_variables", "_tracker"}


def optimizers(model: Any, root: Place) -> dict[str, Any]:
    """Return every optimizer of a model by what its variables' names begin with.

    For the one given to `compile()` that is nothing. Others, such as the second one of a GAN, are
    attributes of the model or of a layer: `@discriminator_optimizer/`.
    """
    compiled = getattr(model, "optimizer", None)
    found = {"": compiled} if isinstance(compiled, Optimizer) else {}
    for place in places(root):
        for key, optimizer in held_optimizers(place).items():
            if optimizer is not compiled:
                found[f"{OTHERS}{place.below(key)}/"] = optimizer
    return found


def optimizer_variables(
    optimizer: Any, weights: Mapping[int, str], prefix: str = ""
) -> dict[str, Any]:
    """Return the variables of an optimizer by a name that outlives it.

    Args:
        optimizer: a live Keras optimizer.
        weights: the place of every weight of the model, by the identity of the variable.
        prefix: what the names begin with.
    """
    found: dict[str, Any] = {}
    seen: set[int] = set()
    for name, variable in _visit(optimizer, prefix, weights):
        if id(variable) not in seen:
            seen.add(id(variable))
            found[name] = variable
    left = [variable for variable in optimizer.variables if id(variable) not in seen]
    found |= {f"{prefix}variables/{index}": variable for index, variable in enumerate(left)}
    return found


def _visit(optimizer: Any, prefix: str, weights: Mapping[int, str]) -> Iterator[tuple[str, Any]]:
    trained = [
        weights.get(id(weight), f"weights/{index}")
        for index, weight in enumerate(getattr(optimizer, "_trainable_variables", []))
    ]
    for attribute, value in sorted(vars(optimizer).items()):
        if attribute in _BOOKKEEPING or attribute.startswith("_self_"):
            continue
        name = prefix + (segment(attribute.lstrip("_")) or "_")
        if isinstance(value, Optimizer):
            yield from _visit(value, f"{name}/", weights)
        else:
            yield from _held(name, value, trained)


def _held(name: str, value: Any, trained: list[str]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Variable):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _held(f"{name}/{segment(str(key))}", item, trained)
    elif isinstance(value, list | tuple):
        keys = trained if len(value) == len(trained) else [str(n) for n in range(len(value))]
        for key, item in zip(keys, value, strict=True):
            yield from _held(f"{name}/{key}", item, trained)
