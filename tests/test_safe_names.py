"""The table of Keras' own names: what it holds, what it lacks, and that each is what it says."""

from __future__ import annotations

import importlib.util
import json
import types
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import pytest
from keras.src.api_export import get_symbol_from_name

from kvcs.keras_io.serial import portable
from kvcs.trust import known

TOOL = Path(__file__).parent.parent / "tools" / "known_names.py"
SHIPPED = Path(known.__file__).with_name("known.json")


def tool() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("known_names", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tables() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SHIPPED.read_text())
    return found


def found(module: str, name: str) -> Any:
    if module == "keras._legacy.layers":  # known to Keras by this name, and no module
        return get_symbol_from_name(f"{module}.{name}")
    return getattr(import_module(module), name)


@pytest.mark.skipif(
    not keras.__version__.startswith(known.keras_version().rpartition(".")[0]),
    reason="the names are those of another Keras",
)
def test_every_name_of_the_installed_keras_was_reviewed() -> None:
    """If this fails, run the tool, and look at each line that is new."""
    work = tool()
    assert work.text(work.found()) == SHIPPED.read_text()


@pytest.mark.parametrize("kind", ["classes", "functions"])
def test_a_name_is_the_thing_itself(kind: str) -> None:
    """What Keras finds by it is what the module exports: one object, and of Keras."""
    for module, names in tables()[kind].items():
        for name in names:
            thing = found(module, name)
            assert isinstance(thing, type if kind == "classes" else types.FunctionType)
            assert thing.__module__.startswith("keras.src.")
            assert get_symbol_from_name(f"{module}.{name}") in (thing, None)


@pytest.mark.parametrize(
    "name",
    [
        *[f"keras.layers.{name}" for name in known.RUNS_CODE],
        "keras.layers.deserialize",
        "keras.losses.deserialize",
        "keras.utils.get_file",
        "keras.config.enable_unsafe_deserialization",
        "keras.config.set_floatx",
        "keras.models.load_model",
        "keras.models.clone_model",
        "keras.saving.load_model",
        "keras.applications.MobileNetV3Small",
        "keras.datasets.imdb.load_data",
        "keras.utils.plot_model",
        "keras.src.utils.file_utils.get_file",
        "keras.src.backend.common.global_state.set_global_attribute",
        "keras.export.TFSMLayer",
        "keras.callbacks.LambdaCallback",
        "keras.Function",
        "os.system",
        "builtins.eval",
    ],
)
def test_what_does_more_than_to_calculate_is_not_known(name: str) -> None:
    module, _, name = name.rpartition(".")
    assert not known.is_known_class(module, name)
    assert not known.is_known_function(module, name)


def test_no_class_that_runs_code_hides_under_another_name() -> None:
    refused = {getattr(keras.layers, name) for name in known.RUNS_CODE}
    for module, names in tables()["classes"].items():
        assert not {found(module, name) for name in names} & refused


def test_an_optimizer_of_torch_is_the_one_of_every_backend() -> None:
    module = "keras.src.backend.torch.optimizers.torch_adam"
    assert known.is_known_class(module, "Adam")
    assert not known.is_known_class(f"{module}.more", "Adam")
    assert not known.is_known_class("keras.src.backend.torch.optimizers", "Adam")
    inner = {"module": module, "class_name": "Adam", "config": {}, "registered_name": None}
    found = portable({"inner_optimizer": inner}, exact=False)
    assert found == {"inner_optimizer": {**inner, "module": "keras.optimizers"}}
