"""What `compile()` was given, and the optimizer's variables: described, and given back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from kvcs.errors import RestoreError, SaveError
from kvcs.keras_io.optimizer import optimizer_variables
from kvcs.keras_io.serial import portable, revive
from kvcs.keras_io.survey import Place, weight_paths
from kvcs.keras_io.values import Contents, assign, check_same
from kvcs.keras_io.words import reason
from kvcs.renaming import canonical_config, live_config, names_by_place
from kvcs.spec import MISSING, Missing, StoredModel, TensorSpec, Value

TRAINING = "training.json"  # how live names refer to it


def described_training(model: Any) -> tuple[dict[str, Value] | Missing, dict[str, str]]:
    """Describe what `compile()` was given, with the live names in it.

    Raises:
        SaveError: it cannot be stored.
    """
    if not getattr(model, "compiled", False):
        return MISSING, {}
    try:
        config = model.get_compile_config()
        described = portable(dict(config or {}), exact=False)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise SaveError(
            f"what compile() was given cannot be saved: {reason(error)}; "
            "give named, registered functions instead of lambdas and objects"
        ) from error
    described, names = canonical_config(described)
    return described, {f"{TRAINING}#{pointer}": name for pointer, name in names.items()}


def compile_as_it_was(model: Any, root: Place, stored: StoredModel, contents: Contents) -> None:
    """Compile a restored model, and give its optimizer the stored variables.

    Raises:
        RestoreError: a custom loss, metric or optimizer is not given, or the optimizer has
            other variables.
    """
    assert stored.training is not MISSING
    names = names_by_place(stored.live_names).get(TRAINING, {})
    try:
        config = revive(live_config(dict(stored.training), names), keras_form=True)
        if type(model).compile is keras.Model.compile:
            model.compile(**keras.saving.deserialize_keras_object(config))
        else:
            model.compile_from_config(config)
    except (TypeError, ValueError, LookupError) as error:
        raise RestoreError(
            f"the model cannot be compiled as it was: {reason(error)}. Give its custom "
            "losses, metrics and optimizers in custom_objects, or load it with compile=False"
        ) from error
    optimizer = getattr(model, "optimizer", None)
    if stored.optimizer is not MISSING and optimizer is not None:
        _fill_optimizer(model, optimizer, root, stored.optimizer, contents)


def _fill_optimizer(
    model: Any,
    optimizer: Any,
    root: Place,
    slots: Mapping[str, TensorSpec],
    contents: Contents,
) -> None:
    weights = weight_paths(root)
    live = optimizer_variables(optimizer, weights)
    if set(slots) != set(live):
        optimizer.build(model.trainable_variables)
        live = optimizer_variables(optimizer, weights)
    check_same("optimizer's variables", set(slots), set(live))
    for name, variable in live.items():
        assign(variable, contents[f"optimizer/{slots[name].file}"](), f"optimizer/{name}")
