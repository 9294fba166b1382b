"""The JSON of a config as the value that a loaded model's own config would be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kvcs.canon import is_object
from kvcs.keras_files import NeedsKerasError
from kvcs.npy import STORED, true_dtype
from kvcs.spec import ClassRef, TensorRef, Value

# Classes that load code, or a foreign file, and whatever hides behind them.
_NOT_PLAIN = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "function")


# Keras' own functions, which it serialises by their bare names.
LOSSES = (
    "binary_crossentropy", "categorical_crossentropy", "hinge", "kl_divergence",
    "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "poisson", "sparse_categorical_crossentropy",
)  # fmt: skip


def class_of(found: Mapping[str, Any]) -> ClassRef:
    """Return the class that a serialised object names.

    Raises:
        NeedsKerasError: it is not one of Keras' own.
    """
    ref = ClassRef(found.get("module"), found["class_name"], found.get("registered_name"))
    own = ref.registered_name in (None, ref.name)
    if not (isinstance(ref.module, str) and ref.builtin and own) or ref.name in _NOT_PLAIN:
        raise NeedsKerasError(f"{ref.name} is a class or function of which only Keras knows more")
    return ref


def plain(value: Any) -> Value:
    """Return a value of a config, with class references of Keras' own classes only.

    Raises:
        NeedsKerasError: something else is serialised in it.
    """
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            if value["class_name"] == "__keras_tensor__":
                return _in_a_graph(value)
            if value in map(function, LOSSES):
                return value
            if not is_object(value):
                raise NeedsKerasError(f"a {value['class_name']} is serialised in an unusual way")
            class_of(value)
            value = {key: item for key, item in value.items() if key != "shared_object_id"}
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def _in_a_graph(tensor: dict[str, Any]) -> Value:
    """Return a tensor in the graph of a wrapped model: Keras has its shape as a tuple."""
    config = tensor["config"]
    return {**tensor, "config": {**config, "shape": tuple(config["shape"])}}


def function(name: str) -> dict[str, str]:
    """Return how Keras serialises a function of its own."""
    return {
        "module": "builtins",
        "class_name": "function",
        "config": name,
        "registered_name": "function",
    }


def argument(value: Any, tensor: Callable[[list[Any]], TensorRef]) -> Value:
    """Return an argument of a call; `tensor` resolves the history of a symbolic tensor."""
    if isinstance(value, list):
        return [argument(item, tensor) for item in value]
    if not isinstance(value, dict):
        return value
    if "class_name" not in value or "config" not in value:
        return {key: argument(item, tensor) for key, item in value.items()}
    config = value["config"]
    match value["class_name"]:
        case "__keras_tensor__":
            return tensor(config["keras_history"])
        case "__numpy__" | "__tensor__":
            return _array(config)
        case "__slice__":
            return slice(config["start"], config["stop"], config["step"])
        case "__ellipsis__":
            return Ellipsis
        case _:
            raise NeedsKerasError(f"a layer is called with a {value['class_name']}")


def _array(config: Mapping[str, Any]) -> Value:
    if config["dtype"] not in STORED:
        raise NeedsKerasError(f"a layer is called with an array of dtype {config['dtype']}")
    array = np.array(config["value"], dtype=true_dtype(config["dtype"]))
    return array if array.ndim else array.item()


def policy(config: Mapping[str, Value]) -> tuple[str, str]:
    """Return the dtypes in which a layer computes and keeps its variables.

    Raises:
        NeedsKerasError: its policy is not a plain one, as in a quantised layer.
    """
    given = config.get("dtype")
    if isinstance(given, dict) and given.get("class_name") == "DTypePolicy":
        given = given["config"].get("name")
    if not isinstance(given, str):
        raise NeedsKerasError("a layer has a dtype policy that only Keras reads")
    if given.startswith("mixed_"):
        return given.removeprefix("mixed_"), "float32"
    return given, given
