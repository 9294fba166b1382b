"""A `.weights.h5` file: arrays without a model, put in the place of those of a stored one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from kvcs.errors import RestoreError
from kvcs.keras_files import NeedsKerasError
from kvcs.keras_files.config import config_json
from kvcs.keras_files.describing import Described
from kvcs.keras_files.hdf5 import Arrays
from kvcs.keras_files.plan import Plan, planned, slots_of
from kvcs.npy import Array
from kvcs.spec import MISSING, Missing, StoredModel, TensorSpec

Contents = Mapping[str, Callable[[], Array | bytes]]


@contextmanager
def opened(
    path: str, stored: StoredModel, contents: Contents, *, optimizer: bool = True
) -> Iterator[Described]:
    """Open a stored model with the weights of a file.

    Whatever a weights file does not hold (settings, vocabularies, random seeds) is the model's own.

    Args:
        path: the `.weights.h5` file.
        stored: the model whose architecture it is.
        contents: what stands at its paths.
        optimizer: also take the optimizer's variables, where the file has them.

    Raises:
        RestoreError: the file is damaged, or its arrays are not those of the model.
        NeedsKerasError: only Keras knows where its arrays belong.
    """
    with closing(Arrays(path, path)) as arrays:
        config = config_json(stored)
        plan = planned(stored, config)
        found = dict(contents)
        for place, tensor in plan.tensors.items():
            _check(arrays, place, tensor, path)
            found[plan.arrays[place]] = arrays.reader(place)
        slots = _optimizer(arrays, plan, stored, config, found)
        left = arrays.left_over()
        if left:
            raise RestoreError(f"{path} holds {left[0]}, for which the model has no place")
        yield Described(replace(stored, optimizer=slots if optimizer else MISSING), found)


def _check(arrays: Arrays, place: str, tensor: TensorSpec, path: str) -> None:
    if place not in arrays:
        raise RestoreError(f"{path} has no {place}, which the model needs: is it of another model?")
    dtype, shape = arrays.describe(place)
    if (dtype, shape) != (tensor.dtype, tensor.shape):
        raise RestoreError(
            f"{path} holds {place} as {dtype} {list(shape)}, where the model wants "
            f"{tensor.dtype} {list(tensor.shape)}"
        )


def _optimizer(
    arrays: Arrays,
    plan: Plan,
    stored: StoredModel,
    config: Mapping[str, Any],
    found: dict[str, Callable[[], Array | bytes]],
) -> dict[str, TensorSpec] | Missing:
    for key in [key for key in found if key.startswith("optimizer/")]:
        del found[key]
    count = len(arrays.below("optimizer/vars"))
    if not count:
        return MISSING
    if stored.training is MISSING:
        raise NeedsKerasError("it holds an optimizer, and the model is not compiled")
    slots = {}
    for index, slot in enumerate(slots_of(plan, stored, config, count)):
        place = f"optimizer/vars/{index}"
        tensor = TensorSpec(
            file=f"{slot.name}.npy",
            dtype=arrays.describe(place)[0],
            shape=slot.shape,
            trainable=slot.trainable,
        )
        _check(arrays, place, tensor, arrays.name)
        slots[slot.name] = tensor
        found[f"optimizer/{tensor.file}"] = arrays.reader(place)
    return slots
