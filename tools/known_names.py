"""Write `kvcs/trust/known.json`: the classes and functions of Keras that a model may name.

    python tools/known_names.py

Whoever runs this reviews what is new in the file: a name in it is built, or called, when somebody
loads a model of a stranger. A test compares what this script finds with the file that is shipped,
so that no new version of Keras brings a name in unseen.
"""

from __future__ import annotations

import json
import sys
import types
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
from keras.src.saving.keras_saveable import KerasSaveable

from kvcs.trust.known import RUNS_CODE

KNOWN = Path(__file__).parent.parent / "kvcs" / "trust" / "known.json"

# Public modules whose classes make up models, and what there is of `keras` itself.
CLASSES = (
    "activations", "constraints", "distillation", "dtype_policies", "initializers", "layers",
    "losses", "metrics", "models", "optimizers", "optimizers.schedules", "quantizers", "random",
    "regularizers",
)  # fmt: skip
SINGLE = {
    "keras": ("DTypePolicy", "FloatDTypePolicy", "InputSpec", "Model", "Sequential"),
    "keras._legacy.layers": ("AlphaDropout", "RandomHeight", "RandomWidth", "ThresholdedReLU"),
    "keras.utils": ("FeatureSpace",),
}

# Modules that are no part of the public interface, and whose classes stand in configs.
OPERATIONS = ("core", "einops", "image", "linalg", "math", "nn", "numpy")
PRIVATE = {
    "keras.src.activations.activations": ("Mish", "ReLU"),
    "keras.src.applications.convnext": ("LayerScale", "StochasticDepth"),
    "keras.src.applications.inception_resnet_v2": ("CustomScaleLayer",),
    "keras.src.layers.preprocessing.feature_space": (
        "Cross", "Feature", "TFDConcat", "TFDIdentity"
    ),
    "keras.src.layers.preprocessing.index_lookup": ("IndexLookup",),
    "keras.src.layers.rnn.conv_lstm": ("ConvLSTM", "ConvLSTMCell"),
    "keras.src.losses.losses": ("LossFunctionWrapper",),
    "keras.src.models.functional": ("Functional",),
    "keras.src.quantizers.quantizers": ("FakeQuantWithMinMaxVars",),
}  # fmt: skip

# Modules of functions that calculate, and nothing else; and what in them does something else.
FUNCTIONS = (
    "activations", "losses", "metrics", "ops", "ops.image", "ops.linalg", "ops.nn", "ops.numpy",
    "quantizers", "random",
)  # fmt: skip
NO_CALCULATION = {"deserialize", "get", "serialize"}


def found() -> dict[str, Any]:
    """Look through the installed Keras."""
    return {
        "classes": {module: names for module, names in sorted(_classes().items()) if names},
        "functions": {f"keras.{name}": _functions(f"keras.{name}") for name in FUNCTIONS},
        "keras_version": keras.__version__,
    }


def _classes() -> dict[str, list[str]]:
    public = {f"keras.{name}": _public_classes(f"keras.{name}") for name in CLASSES}
    single = {module: sorted(names) for module, names in (SINGLE | PRIVATE).items()}
    operations = {f"keras.src.ops.{name}": _operations(f"keras.src.ops.{name}")
                  for name in OPERATIONS}  # fmt: skip
    return public | single | operations


def _public_classes(module: str) -> list[str]:
    """Return the classes that Keras can make of a config."""
    return sorted(
        name
        for name, thing in vars(import_module(module)).items()
        if isinstance(thing, type)
        and (issubclass(thing, KerasSaveable) or hasattr(thing, "from_config"))
        and name not in RUNS_CODE
    )


def _operations(module: str) -> list[str]:
    return sorted(
        name
        for name, thing in vars(import_module(module)).items()
        if isinstance(thing, type)
        and issubclass(thing, keras.Operation)
        and thing.__module__ == module
    )


def _functions(module: str) -> list[str]:
    return sorted(
        name
        for name, thing in vars(import_module(module)).items()
        if isinstance(thing, types.FunctionType) and name not in NO_CALCULATION
    )


def text(table: dict[str, Any]) -> str:
    """Return the table as it is shipped."""
    return json.dumps(table, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    KNOWN.write_text(text(found()))
    sys.stdout.write(f"wrote {KNOWN}\n")
