"""Write `kvcs/keras_files/tables.json`: what Keras' own layers and optimizers keep, and where.

    python tools/keras_tables.py

Each class is built in all its variants, saved by Keras, loaded, and surveyed by `kvcs.keras_io`.
Every variable holds a value of its own, by which it is found again in the file. A test compares
what this script finds with the table that is shipped.
"""

from __future__ import annotations

import io
import itertools
import json
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from keras import layers

from kvcs.keras_io.capture import _frozen
from kvcs.keras_io.optimizer import optimizer_variables
from kvcs.keras_io.own import extra_values
from kvcs.keras_io.survey import Place, survey

TABLES = Path(__file__).parent.parent / "kvcs" / "keras_files" / "tables.json"

# Sizes and arguments are different primes where they decide the shape of a weight.
IMAGE, LINE, VOLUME, FLAT, ROWS = (29, 31, 7), (29, 7), (17, 19, 23, 7), (37,), (41, 43)
COLOURS = (8, 8, 3)
KERNELS = {"1D": 3, "2D": (3, 5), "3D": (3, 5, 2)}
YES_NO = (True, False)
SHAPES = {"1D": LINE, "2D": IMAGE, "3D": VOLUME}

Arguments = dict[str, Any]
Switches = dict[str, tuple[Any, ...]]

# class -> arguments, the shapes it is called on, and the settings (each with the values it can
# take) that decide which variables there are.
WITH_WEIGHTS: dict[str, tuple[Arguments, list[Any], Switches]] = {
    "AdditiveAttention": ({}, [[ROWS, ROWS]], {"use_scale": YES_NO}),
    "Attention": ({}, [[ROWS, ROWS]], {"use_scale": YES_NO, "score_mode": ("dot", "concat")}),
    "BatchNormalization": ({}, [FLAT], {"center": YES_NO, "scale": YES_NO}),
    "Bidirectional": ({"layer": lambda: layers.LSTM(2)}, [ROWS], {}),
    "Dense": ({"units": 11}, [FLAT], {"use_bias": YES_NO}),
    "EinsumDense": (
        {"equation": "ab,bc->ac", "output_shape": (11,)}, [FLAT], {"bias_axes": (None, "c")}
    ),
    "Embedding": ({"input_dim": 47, "output_dim": 53}, [FLAT], {}),
    "GroupNormalization": ({"groups": 1}, [IMAGE], {"center": YES_NO, "scale": YES_NO}),
    "GroupQueryAttention": (
        {"head_dim": 59, "num_query_heads": 6, "num_key_value_heads": 3},
        [ROWS, ROWS],
        {"use_bias": YES_NO},
    ),
    "IntegerLookup": ({}, [FLAT], {"output_mode": ("int", "multi_hot", "count")}),
    "LayerNormalization": ({}, [FLAT], {"center": YES_NO, "scale": YES_NO}),
    "MelSpectrogram": ({}, [(1024,)], {}),
    "MultiHeadAttention": ({"num_heads": 3, "key_dim": 59}, [ROWS, ROWS], {"use_bias": YES_NO}),
    "Normalization": ({}, [FLAT], {"mean": (None,)}),
    "PReLU": ({}, [FLAT], {}),
    "RMSNormalization": ({}, [FLAT], {}),
    "RNN": ({"cell": lambda: layers.LSTMCell(2)}, [ROWS], {}),
    "ReversibleEmbedding": (
        {"input_dim": 47, "output_dim": 53}, [FLAT], {"tie_weights": YES_NO}
    ),
    "StackedRNNCells": ({"cells": lambda: [layers.LSTMCell(2), layers.GRUCell(2)]}, [ROWS], {}),
    "StringLookup": ({}, [FLAT], {"output_mode": ("int", "multi_hot", "count")}),
    "TextVectorization": ({}, [()], {"output_mode": ("int", "multi_hot", "count")}),
    "TimeDistributed": ({"layer": lambda: layers.Dense(2)}, [ROWS], {}),
    **{name: ({"units": 11}, [ROWS], {"use_bias": YES_NO}) for name in
       ("GRU", "GRUCell", "LSTM", "LSTMCell", "SimpleRNN", "SimpleRNNCell")},
    **{f"{kind}{axes}{way}": ({"filters": 13, "kernel_size": KERNELS[axes]}, [SHAPES[axes]],
                              {"use_bias": YES_NO})
       for kind, way in (("Conv", ""), ("Conv", "Transpose"), ("SeparableConv", ""))
       for axes in SHAPES if (kind, axes) != ("SeparableConv", "3D")},
    **{f"ConvLSTM{axes}": ({"filters": 13, "kernel_size": KERNELS[axes]}, [(2, *shape)],
                           {"use_bias": YES_NO})
       for axes, shape in SHAPES.items()},
    **{f"DepthwiseConv{axes}": ({"kernel_size": KERNELS[axes]}, [SHAPES[axes]],
                                {"use_bias": YES_NO})
       for axes in ("1D", "2D")},
}  # fmt: skip

# The same for classes that keep nothing.
WITHOUT_WEIGHTS: dict[str, tuple[Arguments, list[Any]]] = {
    "Activation": ({"activation": "relu"}, [FLAT]),
    "ActivityRegularization": ({"l1": 0.1}, [FLAT]),
    "AlphaDropout": ({"rate": 0.5}, [FLAT]),
    "CategoryEncoding": ({"num_tokens": 3}, [FLAT]),
    "CenterCrop": ({"height": 2, "width": 3}, [COLOURS]),
    "Discretization": ({"bin_boundaries": [0.5]}, [FLAT]),
    "Dot": ({"axes": 2}, [[ROWS, ROWS]]),
    "Dropout": ({"rate": 0.5}, [FLAT]),
    "ELU": ({}, [FLAT]),
    "Flatten": ({}, [IMAGE]),
    "GaussianDropout": ({"rate": 0.5}, [FLAT]),
    "GaussianNoise": ({"stddev": 0.5}, [FLAT]),
    "Hashing": ({"num_bins": 3}, [FLAT]),
    "Identity": ({}, [FLAT]),
    "LeakyReLU": ({}, [FLAT]),
    "Masking": ({}, [ROWS]),
    "Permute": ({"dims": (2, 1)}, [ROWS]),
    "RandomCrop": ({"height": 2, "width": 3}, [COLOURS]),
    "RandomRotation": ({"factor": 0.5}, [COLOURS]),
    "ReLU": ({}, [FLAT]),
    "RepeatVector": ({"n": 2}, [FLAT]),
    "Rescaling": ({"scale": 2.0}, [FLAT]),
    "Reshape": ({"target_shape": (43, 41)}, [ROWS]),
    "Resizing": ({"height": 2, "width": 3}, [COLOURS]),
    "Softmax": ({}, [FLAT]),
    "UnitNormalization": ({}, [FLAT]),
    **{name: ({}, [[FLAT, FLAT]]) for name in
       ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")},
    **{name: ({}, [COLOURS]) for name in
       ("AutoContrast", "RandomFlip", "RandomGrayscale")},
    **{name: ({"factor": 0.5}, [COLOURS]) for name in
       ("RandomBrightness", "RandomContrast", "RandomHue", "RandomSaturation")},
    **{name: ({"height_factor": 0.5, **more}, [COLOURS]) for name, more in
       (("RandomTranslation", {"width_factor": 0.5}), ("RandomZoom", {}))},
    **{f"{kind}{axes}": ({}, [shape]) for axes, shape in SHAPES.items() for kind in
       ("Cropping", "GlobalAveragePooling", "GlobalMaxPooling", "UpSampling", "ZeroPadding")},
    **{f"{kind}{axes}": ({"pool_size": 2}, [shape]) for axes, shape in SHAPES.items() for kind in
       ("AveragePooling", "MaxPooling")},
    **{f"SpatialDropout{axes}": ({"rate": 0.5}, [shape]) for axes, shape in SHAPES.items()},
}  # fmt: skip

CELLS = ("GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells")
# Attributes that hold layers whose class stands in the config, and where it stands.
HOLDS = {
    "Bidirectional": [["forward_layer", "layer"], ["backward_layer", "backward_layer"]],
    "RNN": [["cell", "cell"]],
    "StackedRNNCells": [["cells", "cells"]],
    "TimeDistributed": [["layer", "layer"]],
}
# Settings that are told apart by their very value, and not by whether there is one.
CHOICES = ("output_mode", "score_mode")
# Classes whose weights have as many axes as their arguments and inputs ask for.
ANY_SHAPE = ("EinsumDense", "Normalization", "PReLU")
TEXT = ("StringLookup", "TextVectorization")

OPTIMIZERS: dict[str, Switches] = {
    "Adadelta": {},
    "Adagrad": {},
    "Adam": {"amsgrad": YES_NO},
    "AdamW": {"amsgrad": YES_NO},
    "Adamax": {},
    "Ftrl": {},
    "Lamb": {},
    "Lion": {},
    "Nadam": {},
    "RMSprop": {"centered": YES_NO, "momentum": (0.0, 0.5)},
    "SGD": {"momentum": (0.0, 0.5)},
}
COMMON: Switches = {"use_ema": YES_NO, "gradient_accumulation_steps": (None, 2)}


def tables() -> dict[str, Any]:
    """Return both tables."""
    named = {**WITH_WEIGHTS, **{name: (*what, {}) for name, what in WITHOUT_WEIGHTS.items()}}
    return {
        "keras_version": keras.__version__,
        "layers": {name: _layer_class(name, *named[name]) for name in sorted(named)},
        "optimizers": {name: _optimizer_class(name) for name in sorted(OPTIMIZERS)},
    }


def instance(name: str, arguments: Mapping[str, Any]) -> Any:
    """Build a layer; what is a function makes an argument."""
    made = {key: value() if callable(value) else value for key, value in arguments.items()}
    layer = getattr(layers, name)(**made)
    if name in (*TEXT, "IntegerLookup"):
        layer.adapt(np.array(["a", "b"]) if name in TEXT else np.array([3, 4]))
    return layers.RNN(layer) if name in CELLS else layer


def model_around(name: str, layer: Any, shapes: list[Any]) -> keras.Model:
    """Build a model with one layer, called on inputs of these shapes."""
    dtype = "string" if name in TEXT else "int32" if "Embedding" in name else None
    dtype = "int32" if name in ("IntegerLookup", "CategoryEncoding") else dtype
    inputs = [
        [keras.Input(one, dtype=dtype) for one in shape]
        if isinstance(shape, list)
        else keras.Input(shape, dtype=dtype)
        for shape in shapes
    ]
    return keras.Model(inputs, layer(*inputs))


def combinations(switches: Switches) -> Iterator[dict[str, Any]]:
    """Yield every choice of a value for each setting."""
    for values in itertools.product(*switches.values()):
        yield dict(zip(switches, values, strict=True))


def _layer_class(
    name: str, arguments: Arguments, shapes: list[Any], switches: Switches
) -> dict[str, Any]:
    found: dict[str, Any] = {"variants": []}
    for settings in combinations(switches):
        layer = instance(name, {**arguments, **settings})
        own = layer.cell if name in CELLS else layer
        if type(own).__name__ != name:
            found["type"] = type(own).__name__  # which names and paths derive from
        variant, extra = _variant(name, layer, shapes)
        found["variants"].append(
            {"when": {k: _switch(k, v) for k, v in settings.items()}, **variant}
        )
        if extra:
            found["extra"] = extra
        found["built_on"] = _built_on(own, shapes)
    if name in HOLDS:
        found["holds"] = HOLDS[name]
    return found


def _built_on(layer: Any, shapes: list[Any]) -> str:
    """Tell what a layer that was called says it was built with."""
    config = layer.get_build_config()
    if config is None:
        return "nothing"
    whole = [
        [(None, *one) for one in shape] if isinstance(shape, list) else (None, *shape)
        for shape in shapes
    ]
    return "input_shape" if config == {"input_shape": whole[0]} else "other"


def _switch(key: str, value: Any) -> Any:
    return value if key in CHOICES else bool(value)


def _variant(name: str, layer: Any, shapes: list[Any]) -> tuple[dict[str, Any], list[str]]:
    place, paths, order = _saved(model_around(name, layer, shapes))
    layer.trainable = False
    frozen, _, _ = _saved(model_around(name, layer, shapes))
    base = "cell/" if name in CELLS else ""
    held = tuple(base + attribute for attribute, _ in HOLDS.get(name, [])) or ("\0",)
    own = place.layer.cell if name in CELLS else place.layer
    weights = [
        {
            "name": key.removeprefix(base),
            "path": paths[key].removeprefix(base),
            "trainable": [bool(variable.trainable), bool(frozen.variables[key].trainable)],
            "dtype": "policy" if variable.dtype == "float32" else "int",
            "shape": None if name in ANY_SHAPE else _expressions(tuple(variable.shape), own),
        }
        for key, variable in order
        if not key.startswith(held)
    ]
    parts = [
        key.removeprefix(base)
        for key in _frozen(frozen, frozen.layer.get_config())
        if key not in (".", base.rstrip("/")) and not key.startswith(held)
    ]
    extra = list(extra_values(place)[0])
    return {"weights": weights, **({"frozen": parts} if parts else {})}, extra


def _expressions(shape: tuple[int, ...], layer: Any) -> list[str | None]:
    """Tell each size by the one setting, or size of the input, that it equals."""
    numbers = dict(_numbers(layer.get_config(), "")) | dict(
        _numbers(layer.get_build_config() or {}, "")
    )
    found: list[str | None] = []
    for size in shape:
        same = [key for key, number in numbers.items() if number == size > 1]
        times = [
            f"{k}*{key}" for key, n in numbers.items() for k in (3, 4) if k * n == size and n > 1
        ]
        fitting = same or times
        found.append(fitting[0] if len(fitting) == 1 else None)
    return found


def _numbers(value: Any, path: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        yield path, value
    elif isinstance(value, list | tuple):
        from_end = path.endswith("_shape")  # the number of axes is the input's own
        for index, item in enumerate(value):
            yield from _numbers(item, f"{path}/{index - len(value) if from_end else index}")
    elif isinstance(value, dict) and "class_name" not in value:
        for key, item in value.items():
            yield from _numbers(item, f"{path}/{key}" if path else key)


def _saved(model: keras.Model) -> tuple[Place, dict[str, str], list[tuple[str, Any]]]:
    """Save and load a model; return the layer's place, its h5 paths, and its variables in order."""
    for number, variable in enumerate(model.weights):
        variable.assign(np.full(variable.shape, number + 3).astype(variable.dtype))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "model.keras")
        model.save(path)
        with zipfile.ZipFile(path) as archive:
            stored = _datasets(archive.read("model.weights.h5"))
        model = keras.models.load_model(path)
    place = next(member.place for member in reversed(survey(model).members) if member.place)
    names = {id(variable): name for name, variable in place.variables.items()}
    order = [(names[id(v)], v) for v in place.layer.variables if id(v) in names]
    return place, {name: _where(stored, variable) for name, variable in order}, order


def _datasets(data: bytes) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(io.BytesIO(data)) as file:
        file.visititems(
            lambda name, thing: (
                found.__setitem__(name.split("/", 2)[2], thing[()])
                if isinstance(thing, h5py.Dataset)
                else None
            )
        )
    return found


def _where(stored: dict[str, np.ndarray], variable: Any) -> str:
    value = keras.ops.convert_to_numpy(variable)
    (path,) = [path for path, array in stored.items() if np.array_equal(array, value)]
    return path


def _optimizer_class(name: str) -> list[dict[str, Any]]:
    found = []
    for settings in combinations({**OPTIMIZERS[name], **COMMON}):
        optimizer = getattr(keras.optimizers, name)(**settings)
        when = {key: bool(value) for key, value in settings.items()}
        blocks, trainable = _blocks(optimizer)
        found.append({"when": when, "blocks": blocks, "trainable": trainable})
    return found


def _blocks(optimizer: Any) -> tuple[list[dict[str, list[str]]], list[str]]:
    """Return the order of an optimizer's variables, and which of them are flagged trainable."""
    weights = [keras.Variable(np.zeros(size), name=f"w{size}") for size in (2, 3)]
    optimizer.build(weights)
    names = {
        id(variable): name
        for name, variable in optimizer_variables(
            optimizer, {id(weight): f"w{weight.shape[0]}" for weight in weights}
        ).items()
    }
    order = [names[id(variable)] for variable in optimizer.variables]
    runs = itertools.groupby(order, lambda name: name.partition("/")[2])
    # A block comes once for each weight; what belongs to no weight is a block by itself.
    blocks = {True: "each", False: "once"}
    found = [
        {blocks[weight != ""]: [name.partition("/")[0] for name in names]}
        for weight, names in runs
        if weight != "w3"
    ]
    flagged = {names[id(one)].partition("/")[0] for one in optimizer.variables if one.trainable}
    return found, sorted(flagged)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    TABLES.write_text(json.dumps(tables(), indent=1, sort_keys=True) + "\n")
