"""The classes and functions of Keras that a model may name: `known.json`, looked up."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

UNSAFE = "If you trust it, load it with safe_mode=False (--unsafe on the command line)"

# Classes of Keras that run what stands in their config, or load it from elsewhere.
RUNS_CODE = {
    "FlaxLayer": "a FlaxLayer runs code of another library",
    "JaxLayer": "a JaxLayer runs code of another library",
    "Lambda": "its config holds a lambda, and loading it runs code from the model",
    "TFSMLayer": "a TFSMLayer runs a SavedModel, which is code, from a path",
    "TorchModuleWrapper": "a TorchModuleWrapper unpickles a module, which runs code from the model",
}

# How Keras writes what is no class: the tags of its configs that are data, and those that are not.
DATA_TAGS = frozenset(
    {"__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__"}
)
CODE_TAGS = {
    "__lambda__": RUNS_CODE["Lambda"],
    "__typespec__": "its config holds a type specification, which is made by code outside of Keras",
    "CompositeTensor": "its config holds a tensor of a class outside of Keras",
    "TypeSpec": "its config holds a type specification, which is made by code outside of Keras",
}

# Where Keras looks for a function of which it is said that it is built in.
BUILTINS = ("keras.activations", "keras.losses", "keras.metrics")

# With torch, Keras' optimizers are classes of that backend, and one in another is written as such.
_OF_TORCH = re.compile(r"keras\.src\.backend\.torch\.optimizers\.torch_[a-z]+")


@cache
def _tables() -> dict[str, dict[str, frozenset[str]]]:
    found = json.loads(Path(__file__).with_name("known.json").read_bytes())
    return {
        kind: {module: frozenset(names) for module, names in found[kind].items()}
        for kind in ("classes", "functions")
    }


@cache
def keras_version() -> str:
    """Return the version of Keras whose names are known."""
    found: str = json.loads(Path(__file__).with_name("known.json").read_bytes())["keras_version"]
    return found


def is_known_class(module: str | None, name: str) -> bool:
    """Tell whether a class of Keras may be built from a config."""
    return name in _tables()["classes"].get(public_module(module) or "", ())


def public_module(module: str | None) -> str | None:
    """Return the module under which every backend has a class of Keras."""
    return "keras.optimizers" if module and _OF_TORCH.fullmatch(module) else module


def is_known_function(module: str | None, name: str) -> bool:
    """Tell whether a function of Keras calculates and does nothing else."""
    return name in _tables()["functions"].get(module or "", ())


@cache
def bare_classes() -> frozenset[str]:
    """Return the names of known classes, for configs of a time when they said no module."""
    public = [names for module, names in _tables()["classes"].items() if ".src." not in module]
    return frozenset().union(*public) | {"Functional"}
