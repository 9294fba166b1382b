"""What a restored model has that its description has not, and the other way round, is named."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import models
import numpy as np
import pytest
from golden import make
from keras import layers

import kvcs
from kvcs.canon import dumps
from kvcs.errors import RestoreError, RestoreWarning
from kvcs.keras_io.agreement import check_agreement
from kvcs.spec import MISSING, LayerSpec, PartSpec, StoredModel, SymbolicTensor, TensorRef
from kvcs.tree.manifest import checksum

STORED = make.STORED
ADVICE = (
    ". Is a custom class not the one that it was, or does its get_config() not give what its "
    "constructor takes?"
)

Change = Callable[[Any], Any]


def of(name: str, **fields: Any) -> Change:
    """Change the fields of the layer with a name; a function changes what is there."""

    def changed(stored: StoredModel) -> StoredModel:
        entries = list(stored.model.layers)
        (at,) = (index for index, entry in enumerate(entries) if entry.name == name)
        given = {
            key: value(getattr(entries[at].layer, key)) if callable(value) else value
            for key, value in fields.items()
        }
        entries[at] = replace(entries[at], layer=replace(entries[at].layer, **given))
        return of_model(layers=tuple(entries))(stored)

    return changed


def called(name: str, **fields: Any) -> Change:
    """Change the first call of the layer with a name."""

    def changed(stored: StoredModel) -> StoredModel:
        entries = list(stored.model.layers)
        (at,) = (index for index, entry in enumerate(entries) if entry.name == name)
        first, *others = entries[at].calls
        entries[at] = replace(entries[at], calls=(replace(first, **fields), *others))
        return of_model(layers=tuple(entries))(stored)

    return changed


def of_model(**fields: Any) -> Change:
    return lambda stored: replace(stored, model=replace(stored.model, **fields))


def more(**items: Any) -> Change:
    return lambda given: {**given, **items}


def without(*keys: str) -> Change:
    return lambda given: {key: item for key, item in given.items() if key not in keys}


def part(key: str, **fields: Any) -> Change:
    return lambda parts: {**parts, key: replace(parts[key], **fields)}


def trainable(name: str, flag: bool) -> Change:
    return lambda tensors: {**tensors, name: replace(tensors[name], trainable=flag)}


def inside_initializer(**arguments: Any) -> Change:
    def changed(config: Mapping[str, Any]) -> dict[str, Any]:
        initializer = config["kernel_initializer"]
        inner = {**initializer, "config": {**initializer["config"], **arguments}}
        return {**config, "kernel_initializer": inner}

    return changed


def without_last(stored: StoredModel) -> StoredModel:
    return of_model(layers=stored.model.layers[:-1])(stored)


HALF = SymbolicTensor(shape=(None, 1), dtype="float16")
NARROW = SymbolicTensor(shape=(None, 2, 1), dtype="float32")

DIFFERENCES: list[tuple[Change, str]] = [
    # settings
    (of("dense", config=more(units=3)), "layer 'layers/dense': units is 3, stored is 2"),
    (of("dense", config=more(units=2.0)), "layer 'layers/dense': units is 2.0, stored is 2"),
    (of("dense", config=more(units=True)), "layer 'layers/dense': units is True, stored is 2"),
    (
        of("dense", config=more(activation=None)),
        "layer 'layers/dense': activation is nothing, stored is 'relu'",
    ),
    (of("dense", config=without("units")), "layer 'layers/dense': units is gone, stored is 2"),
    (
        of("dense", config=inside_initializer(stddev=0.1)),
        "layer 'layers/dense': kernel_initializer.config.stddev is 0.1, stored is 0.05",
    ),
    (
        of("Maß/custom", config=more(tuple=[1])),
        "layer 'layers/custom': tuple is [1], stored is (1, (), ('a',))",
    ),
    (
        of("Maß/custom", config=more(scalar=0.10000000149011612)),
        "layer 'layers/custom': scalar is 0.10000000149011612, stored is np.float32(0.1)",
    ),
    (
        of("Maß/custom", config=more(text="x" * 99)),
        f"layer 'layers/custom': text is '{'x' * 59}, stored is 'naïve \\u202etxt.exe\\n'",
    ),
    (
        of_model(config={"trainable": True}),
        f"the model: dtype is gone, stored is {str(make.policy('x'))[:60]}",
    ),
    # classes and parts
    (
        of("dense", cls=make.keras("Other")),
        "layer 'layers/dense': its class is 'Other', stored is 'Dense'",
    ),
    (
        of("Maß/custom", parts=part("block", config={"activation": "relu", "units": 3})),
        "layer 'layers/custom': block/activation is 'relu', stored is 'tanh'",
    ),
    (
        of("Maß/custom", parts=part("block/inner", config={"by": 1.5})),
        "layer 'layers/custom': block/inner/by is 1.5, stored is 1.5",
    ),
    # variables and what else a layer keeps
    (of("dense", tensors=without("bias")), "layer 'layers/dense': variable bias is gone"),
    (of("encoder", tensors={}), "layer 'layers/encoder': variable offset is gone"),
    (
        of("dense", tensors=trainable("bias", True)),
        "layer 'layers/dense': variable bias is trainable",
    ),
    (
        of("dense", tensors=trainable("kernel", False)),
        "layer 'layers/dense': variable kernel is not trainable",
    ),
    (
        of("Maß/custom", frozen=()),
        "layer 'layers/custom': frozen are none, stored are block, block/inner",
    ),
    (
        of("Maß/custom", extra={}),
        "layer 'layers/custom': save_own_variables() gives other keys than the stored ones",
    ),
    (
        of("words", assets={}),
        "layer 'layers/words': assets are none, stored are empty, lookup_layer/vocabulary.json",
    ),
    # the graph
    (
        without_last,
        "layer 'layers/words' was not built",
    ),
    (of_model(build="class"), "the model: it is built as a class, stored is a graph"),
    (of_model(inputs=None), f"the model: its inputs are None, stored are {make.ROOT.inputs}"),
    (
        of_model(outputs=TensorRef("again", 0, 0)),
        f"the model: its outputs are again[0][0], stored are {make.ROOT.outputs}",
    ),
    (of_model(layers=STORED.model.layers[::-1]), "the model: its layers stand in another order"),
    *[
        (
            called("again", **fields),
            "the model: layer 'again' is called in another way, or gives another dtype or rank",
        )
        for fields in (
            {"args": ()},
            {"kwargs": {"by": -3}},
            {"outputs": (HALF,)},
            {"outputs": (NARROW,)},
            {"outputs": ()},
        )
    ],
    # compile()
    (lambda it: replace(it, training=MISSING), "it is not compiled, and was"),
    (
        lambda it: replace(it, training={**it.training, "loss": "mae"}),
        "compile(): loss is 'mae', stored is 'mse'",
    ),
]


@pytest.mark.parametrize(
    ("change", "text"), DIFFERENCES, ids=[text[-50:] for _, text in DIFFERENCES]
)
def test_a_difference_is_named(change: Change, text: str) -> None:
    with pytest.raises(RestoreError) as caught:
        check_agreement(STORED, change(STORED), compiled=True)
    assert str(caught.value) == f"the built model is not the stored one: {text}{ADVICE}"


def test_what_is_new_is_named() -> None:
    bare = of("dense", tensors=without("bias"))(STORED)
    with pytest.raises(RestoreError, match=r"'layers/dense': variable bias is new"):
        check_agreement(bare, STORED, compiled=True)


@pytest.mark.parametrize(
    ("stored", "live", "text"),
    [
        (without_last(STORED), STORED, "layer 'layers/words' was built in addition"),
        (
            STORED,
            of("dense", config=more(new=None))(STORED),
            "layer 'layers/dense': new is nothing, and stored is none",
        ),
    ],
    ids=["a layer without weights", "a setting"],
)
def test_what_a_class_gained_is_a_warning(stored: Any, live: Any, text: str) -> None:
    """Else no commit from before the class gained an argument could be loaded."""
    with pytest.warns(RestoreWarning) as caught:
        check_agreement(stored, live, compiled=True)
    assert [str(warning.message) for warning in caught] == [
        f"the built model has more than the stored one, as classes changed since: {text}"
    ]


def test_three_differences_are_named_and_the_others_are_counted_in() -> None:
    change = of("dense", config=lambda _: {"units": 3})
    with pytest.raises(RestoreError) as caught:
        check_agreement(STORED, change(STORED), compiled=True)
    assert str(caught.value) == (
        "the built model is not the stored one: layer 'layers/dense': activation is gone, stored "
        "is 'relu'; layer 'layers/dense': kernel_initializer is gone, stored is {'module': "
        "'keras.initializers', 'class_name': 'RandomNormal; layer 'layers/dense': trainable is "
        f"gone, stored is True; and more{ADVICE}"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it,
        lambda it: replace(it, live_names={}, name="other"),
        of("dense", config=lambda config: dict(reversed(config.items()))),
        called("again", outputs=(SymbolicTensor(shape=(None, 9), dtype="float32"),)),
    ],
    ids=["the same", "names", "order of arguments", "a size"],
)
def test_what_makes_no_difference(change: Change) -> None:
    check_agreement(STORED, change(STORED), compiled=True)


def test_the_arguments_of_compile_are_compared_when_it_was_compiled() -> None:
    for live in (MISSING, {"loss": "mae"}):
        check_agreement(STORED, replace(STORED, training=live), compiled=False)
    check_agreement(replace(STORED, training=MISSING), STORED, compiled=True)


def newer(stored: StoredModel) -> StoredModel:
    return replace(stored, keras_version="99.0")


@pytest.mark.parametrize(
    "change",
    [
        of("dense", config=more(new=1)),
        of("dense", config=inside_initializer(new=1)),
        of("Maß/custom", parts=part("block", config={"activation": "tanh", "new": 1, "units": 3})),
        of("dense", cls=replace(make.DENSE.cls, module="keras.new.place")),
        lambda it: replace(it, training={**it.training, "new": None}),
    ],
)
def test_another_keras_may_add_settings(change: Change) -> None:
    with pytest.warns(RestoreWarning):
        check_agreement(STORED, change(STORED), compiled=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_agreement(STORED, newer(change(STORED)), compiled=True)


def test_other_differences_of_another_keras_are_a_warning() -> None:
    live = newer(of("dense", config=more(units=3, new=1))(STORED))
    with pytest.warns(RestoreWarning) as caught:
        check_agreement(STORED, live, compiled=True)
    assert [str(warning.message) for warning in caught] == [
        (
            f"the model was stored by Keras 3.6.0, and Keras {keras.__version__} builds it with "
            "differences: layer 'layers/dense': units is 3, stored is 2"
        )
    ]


def test_a_part_that_cannot_be_told_any_more_is_passed_over() -> None:
    """Its class describes it or not; its weights are compared in either case."""
    more_parts = of("Maß/custom", parts=more(another=PartSpec(cls=make.keras("ReLU"), config={})))
    check_agreement(STORED, more_parts(STORED), compiled=True)
    check_agreement(more_parts(STORED), STORED, compiled=True)


# --- live models ---------------------------------------------------------------------------------


def test_a_class_whose_get_config_forgets_an_argument(tmp_path: Path) -> None:
    class Forgetful(layers.Layer):
        def __init__(self, activation: str = "linear", **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.steps = [layers.Activation(activation)]

        def call(self, x: Any) -> Any:
            return self.steps[0](x)

        def build(self, shape: Any) -> None:
            self.factor = self.add_weight(shape=(), name="factor")

    model = keras.Sequential([keras.Input((3,)), Forgetful("relu", name="odd")])
    kvcs.save(model, tmp_path / "model")
    found = outcome(tmp_path / "model", {"Forgetful": Forgetful})
    if isinstance(found, str):  # else it was put back
        assert found == (
            "the built model is not the stored one: layer 'layers/odd': steps/0/activation is "
            f"'linear', stored is 'relu'{ADVICE}"
        )
    else:
        one = np.asarray(found(-np.ones((1, 3))))
        assert one.tolist() == np.asarray(model(-np.ones((1, 3)))).tolist()


def outcome(root: Path, custom_objects: dict[str, Any]) -> Any:
    try:
        return kvcs.load(root, custom_objects=custom_objects)
    except RestoreError as error:
        return str(error)


class Stack(models.Stack):
    """The output layer has another argument now, which is not put back by assignment."""

    __module__ = models.__name__

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.out.bias_initializer = keras.initializers.Ones()


def test_a_class_that_builds_something_else_now(tmp_path: Path) -> None:
    kvcs.save(models.built("subclassed_with_lists"), tmp_path / "model")
    with pytest.raises(RestoreError) as caught:
        kvcs.load(tmp_path / "model", custom_objects={"Stack": Stack})
    assert str(caught.value).startswith(
        "the built model is not the stored one: layer 'layers/out': bias_initializer.class_name is "
        "'Ones', stored is 'Zeros'. "
    )


def test_a_model_of_another_keras_is_loaded_with_a_warning(tmp_path: Path) -> None:
    kvcs.save(models.built("subclassed_with_lists"), tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    manifest = {**json.loads(path.read_text()), "keras_version": "3.6.0"}
    path.write_bytes(dumps({**manifest, "checksum": checksum(manifest)}))
    with pytest.warns(RestoreWarning, match=r"stored by Keras 3\.6\.0, and Keras .*initializer"):
        kvcs.load(tmp_path / "model", custom_objects={"Stack": Stack})
    kvcs.load(tmp_path / "model", custom_objects={"Stack": models.Stack})  # without one


def test_a_custom_class_may_move_to_another_module(tmp_path: Path) -> None:
    """As from the script that trained the model to the package that serves it."""
    kvcs.save(models.built("subclassed_with_lists"), tmp_path / "model")
    moved = type("Stack", (models.Stack,), {"__module__": "another", "__init__": plain_init})
    loaded = kvcs.load(tmp_path / "model", custom_objects={"Stack": moved})
    assert type(loaded) is moved


def plain_init(self: Any, *args: Any, **kwargs: Any) -> None:
    models.Stack.__init__(self, *args, **kwargs)


def test_nothing_of_a_layer_is_left_out() -> None:
    """Whoever adds a field to a layer decides here whether it is compared."""
    compared = {"cls", "config", "tensors", "extra", "frozen", "parts", "assets"}
    left = {"build_config", "tied"}
    assert set(LayerSpec.__dataclass_fields__) == compared | left
