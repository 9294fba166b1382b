"""Weights of an `.h5` file of Keras 2, given to a model of Keras 3."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import keras
import numpy as np

from kvcs.errors import RestoreError
from kvcs.npy import Array

# Weights that have another name in Keras 3.
_RENAMED = {("depthwise_kernel", "kernel")}


def load_weights(file: Any, model: Any, path: str) -> None:
    """Give a model the weights of an `.h5` file of Keras 2, by layer, and in each by order.

    Raises:
        RestoreError: they are not the weights of this model.
    """
    group = file.get("model_weights", file)
    backend = _text(group.attrs.get("backend", "tensorflow"))
    if backend != "tensorflow":
        raise RestoreError(f"{path} was written on {backend}, which lays out kernels another way")
    layers = {layer.name: _in_order(layer) for layer in model.layers if layer.weights}
    saved = {name: _names(group, name, path) for name in _texts(group, "layer_names")}
    saved = {name: weights for name, weights in saved.items() if weights}
    for name in layers.keys() ^ saved.keys():
        where = "the model" if name in saved else path
        raise RestoreError(f"{path}: {where} has no weights of layer {name!r}")
    for name, variables in layers.items():
        _check_weights(name, variables, saved[name], path)
        for variable, weight in zip(variables, saved[name], strict=True):
            variable.assign(_array(group[name], weight, variable, f"{path}: layer {name!r}"))
    for layer in model._flatten_layers(recursive=True):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it goes on with what it had computed from the old ones


def _in_order(layer: Any) -> list[Any]:
    """Return the variables of a layer in the order of Keras 2."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _names(group: Any, layer: str, path: str) -> list[str]:
    if layer not in group:
        raise RestoreError(f"{path}: has no weights of layer {layer!r}, which it lists")
    return _texts(group[layer], "weight_names")


def _check_weights(layer: str, variables: Sequence[Any], names: Sequence[str], path: str) -> None:
    wanted = [variable.name for variable in variables]
    found = [_last(name) for name in names]
    pairs = zip(found, wanted, strict=False)
    if len(found) != len(wanted) or any(a != b and (a, b) not in _RENAMED for a, b in pairs):
        raise RestoreError(
            f"{path}: layer {layer!r} has the weights {', '.join(found)} where Keras 3 has "
            f"{', '.join(wanted)}"
        )


def _last(name: str) -> str:
    """Return what a weight is called in its layer: `kernel` for `dense_1/kernel_1:0`."""
    return re.sub(r"(_\d+)?(:\d+)?$", "", name.rpartition("/")[2])


def _array(group: Any, name: str, variable: Any, place: str) -> Array:
    dataset = group
    for part in name.split("/"):
        # A link could lead to another file of this machine.
        link = dataset.get(part, getlink=True) if isinstance(dataset, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            raise RestoreError(f"{place}: has no weight {name!r}")
        dataset = dataset[part]
    if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
        raise RestoreError(f"{place}: {name!r} is no array of this file")
    if tuple(dataset.shape) != tuple(variable.shape):
        raise RestoreError(
            f"{place}: {name!r} has shape {list(dataset.shape)}, the built model wants "
            f"{list(variable.shape)}"
        )
    return np.asarray(dataset[()])


def _texts(group: Any, name: str) -> list[str]:
    """Return a list of texts; one that is too long for HDF5 is split over several attributes."""
    whole = group.attrs.get(name)
    parts = [whole] if whole is not None else list(_chunks(group, name))
    return [_text(each) for part in parts for each in part]


def _chunks(group: Any, name: str) -> Iterator[Any]:
    number = 0
    while f"{name}{number}" in group.attrs:
        yield group.attrs[f"{name}{number}"]
        number += 1


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
