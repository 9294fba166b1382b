"""The plain form: a list of layers, each with its settings beside its name, as people write it.

{"layers": [{"name": "dense", "class_name": "Dense", "units": 4, "input_shape": [8]}, …]}
"""

from __future__ import annotations

from typing import Any

from kvcs.keras2.fields import Known, Object, a_list, a_text, an_object
from kvcs.keras2.rules import LAYERS
from kvcs.keras2.upgrade import upgraded_model

# What a setting is that nobody wrote, in TensorFlow 2 and in Keras 3 alike.
_DEFAULTS = {"recurrent_activation": "sigmoid", "reset_after": True}
_WITH_DEFAULTS = ("LSTM", "GRU", "LSTMCell", "GRUCell")


def is_plain(description: Any) -> bool:
    """Tell whether this is the plain form, and not the JSON of a version of Keras."""
    return isinstance(description, dict) and "layers" in description and not (
        description.keys() & {"class_name", "config", "module"}
    )  # fmt: skip


def plain_model(description: Object, known: Known) -> Object:
    """Return the Sequential model that a list of layers describes, as Keras 3 reads it.

    Raises:
        RestoreError: something in it describes no layer; the text names it.
    """
    layers = a_list(description["layers"], "'layers'", "the model")
    found = [_nested(each, f"layers[{index}]") for index, each in enumerate(layers)]
    name = a_text(description.get("name", "sequential"), "its name", "the model")
    config = {"name": name, "layers": found}
    return upgraded_model({"class_name": "Sequential", "config": config}, known)


def _nested(layer: Any, place: str) -> Object:
    """Return one layer with its settings in a config of their own."""
    layer = an_object(layer, "it", place)
    cls = a_text(layer.get("class_name"), "'class_name'", place)
    settings = {key: value for key, value in layer.items() if key not in ("class_name", "config")}
    config = {**settings, **an_object(layer.get("config", {}), "'config'", place)}
    if cls in _WITH_DEFAULTS:
        missing = LAYERS[cls].needed - config.keys()
        config |= {key: _DEFAULTS[key] for key in missing}
    return {"class_name": cls, "config": config}
