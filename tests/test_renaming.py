"""Names inside a config: canonical ones take their place, and the live ones can be put back."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import assert_same, configs, values

from kvcs import canon
from kvcs.names import snake_case
from kvcs.renaming import canonical_config, live_config

Config = dict[str, Any]


def layer(class_name: str, name: str, **config: Any) -> Config:
    """A layer, as Keras serialises it."""
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": {"name": name, "trainable": True, **config},
        "registered_name": None,
    }


def called(of: Config, *inputs: str) -> Config:
    """A layer of a graph, called once on the first outputs of others."""
    history = [{"class_name": "__keras_tensor__", "config": {"shape": [None, 4], "keras_history":
                [name, 0, 0]}} for name in inputs]  # fmt: skip
    nodes = [{"args": history, "kwargs": {"mask": None}}] if inputs else []
    return {**of, "name": of["config"]["name"], "inbound_nodes": nodes}


def graph(name: str, *layers: Config) -> Config:
    """A functional model, as Keras serialises it."""
    ends = [[layers[index]["name"], 0, 0] for index in (0, -1)]
    config = {"layers": list(layers), "input_layers": [ends[0]], "output_layers": ends[1]}
    return {**layer("Functional", name, **config), "module": "keras"}


def test_a_wrapped_layer() -> None:
    canonical, names = canonical_config({"layer": layer("Dense", "dense_7", units=4)})
    assert canonical == {"layer": layer("Dense", "dense", units=4)}
    assert names == {"/layer/config/name": "dense_7"}


def test_layers_are_numbered_within_their_container() -> None:
    config = {
        "cells": [
            layer("LSTMCell", "lstm_cell_5"),
            layer("Wrapper", "wrapper_2", cell=layer("LSTMCell", "lstm_cell_6")),
            layer("LSTMCell", "lstm_cell_7"),
        ]
    }
    canonical, names = canonical_config(config)
    assert canonical == {
        "cells": [
            layer("LSTMCell", "lstm_cell"),
            layer("Wrapper", "wrapper", cell=layer("LSTMCell", "lstm_cell")),
            layer("LSTMCell", "lstm_cell_1"),
        ]
    }
    assert names == {
        "/cells/0/config/name": "lstm_cell_5",
        "/cells/1/config/name": "wrapper_2",
        "/cells/1/config/cell/config/name": "lstm_cell_6",
        "/cells/2/config/name": "lstm_cell_7",
    }


def test_a_graph_keeps_its_connections() -> None:
    live = graph(
        "functional_3",
        called(layer("InputLayer", "keras_tensor_9")),
        called(layer("Dense", "dense_7"), "keras_tensor_9"),
        called(layer("Add", "sum"), "dense_7", "keras_tensor_9"),
    )
    canonical, names = canonical_config({"model": live})
    assert canonical == {
        "model": graph(
            "functional",
            called(layer("InputLayer", "input_layer")),
            called(layer("Dense", "dense"), "input_layer"),
            called(layer("Add", "sum"), "dense", "input_layer"),
        )
    }
    assert sorted(names) == [
        "/model/config/input_layers/0/0",
        "/model/config/layers/0/config/name",
        "/model/config/layers/0/name",
        "/model/config/layers/1/config/name",
        "/model/config/layers/1/inbound_nodes/0/args/0/config/keras_history/0",
        "/model/config/layers/1/name",
        "/model/config/layers/2/inbound_nodes/0/args/0/config/keras_history/0",
        "/model/config/layers/2/inbound_nodes/0/args/1/config/keras_history/0",
        "/model/config/name",
    ]


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"name": "dense_7", "units": 4}, id="no layer"),
        pytest.param({"layer": layer("Dense", "head")}, id="chosen name"),
        pytest.param({"layer": layer("Dense", "dense")}, id="canonical already"),
        pytest.param({"a": layer("Dense", "dense_7"), "b": layer("Dense", "dense_7")}, id="twins"),
        pytest.param({"layer": {"class_name": "Dense", "config": "dense_7"}}, id="config is text"),
        pytest.param({"layer": {"class_name": "Dense", "config": {"name": 7}}}, id="name is none"),
        pytest.param({"layers": 3, "input_layers": 1, "output_layers": 2}, id="looks like a graph"),
        pytest.param({"layers": [1], "input_layers": [], "output_layers": []}, id="nearly a graph"),
    ],
)
def test_what_has_no_automatic_names_stays(config: Config) -> None:
    assert canonical_config(config) == (config, {})


def test_a_graph_whose_connections_have_no_pointer_keeps_its_names() -> None:
    """Renaming layers alone would cut them off."""
    live = graph("model", called(layer("Dense", "dense_7")), called(layer("Add", "add"), "dense_7"))
    node = live["config"]["layers"][1]["inbound_nodes"][0]
    node["args"] = [{1: node["args"][0]}]
    assert canonical_config({"model": live}) == ({"model": live}, {})


def test_one_object_in_two_places_is_two_in_a_file() -> None:
    inner = layer("Dense", "dense_7")
    config = {"a": layer("Wrapper", "one", layer=inner), "b": layer("Wrapper", "two", layer=inner)}
    canonical, names = canonical_config(config)
    reread = canon.decode(canon.encode(canonical))
    assert live_config(reread, names) == config
    assert len(names) == 2


def test_the_given_config_is_not_changed() -> None:
    config = {"layers": (layer("Dense", "dense_7"),)}
    before = json.dumps(config)
    canonical, names = canonical_config(config)
    assert live_config(canonical, names) == config
    assert canonical == {"layers": (layer("Dense", "dense"),)}
    assert json.dumps(config) == before


@pytest.mark.parametrize(
    "pointer", ["/nowhere/config/name", "/cells/4", "/cells/x", "/cells/0/a/b"]
)
def test_a_pointer_that_leads_nowhere_is_an_error(pointer: str) -> None:
    with pytest.raises((LookupError, TypeError, ValueError)):
        live_config({"cells": [1]}, {pointer: "dense_7"})


# --- laws ----------------------------------------------------------------------------------------

# What stands in a config, without names: a class, a name that a person chose or None, and the
# layers inside, which are arguments, a list, or a graph in which each is called on earlier ones.
Recipe = tuple[str, str, "str | None", list[Any]]

recipes = st.recursive(
    st.tuples(st.just("layer"), st.sampled_from(["Dense", "LSTM"]), st.none(), st.just([])),
    lambda inner: st.tuples(
        st.sampled_from(["arguments", "list", "tuple", "graph"]),
        st.sampled_from(["Wrapper", "Functional", "Dense"]),
        st.none() | st.sampled_from(["chosen", "dense_10", "a/b~c", "~1"]),
        st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=8,
)


class Process:
    """Gives automatic names as Keras does: numbered per class, from where the process stands.

    Chosen names are told apart by a number, whatever the process built before.
    """

    def __init__(self, before: int) -> None:
        self.before = before
        self.numbers: dict[str, Iterator[int]] = {}
        self.chosen = itertools.count()

    def name(self, class_name: str) -> str:
        number = next(self.numbers.setdefault(class_name, itertools.count(self.before)))
        return f"{snake_case(class_name)}_{number}" if number else snake_case(class_name)

    def build(self, recipe: Recipe) -> Config:
        kind, class_name, chosen, inside = recipe
        class_name = "Functional" if kind == "graph" else class_name
        name = f"{chosen}{next(self.chosen)}" if chosen else self.name(class_name)
        layers = [self.build(one) for one in inside]
        if kind == "graph":
            names = [one["config"]["name"] for one in layers]
            calls = [called(one, *names[:at]) for at, one in enumerate(layers)]
            return graph(name, *calls)
        if kind == "arguments":
            return layer(class_name, name, **{f"~1/{at}": one for at, one in enumerate(layers)})
        return layer(class_name, name, layers=tuple(layers) if kind == "tuple" else layers)


def built(recipe: Recipe, before: int = 0) -> Config:
    return {"units": 4, "inner": Process(before).build(recipe)}


@given(recipes, st.integers(0, 30))
def test_live_names_come_back(recipe: Recipe, before: int) -> None:
    live = built(recipe, before)
    canonical, names = canonical_config(live)
    assert_same(live_config(canonical, names), live)
    reread = canon.decode(canon.loads(canon.dumps(canon.encode(canonical))))
    assert_same(live_config(reread, names), live)


@given(recipes, st.integers(0, 30), st.integers(0, 30))
def test_canonical_names_do_not_know_what_was_built_before(
    recipe: Recipe, one: int, other: int
) -> None:
    first, second = canonical_config(built(recipe, one)), canonical_config(built(recipe, other))
    assert_same(first[0], second[0])


@given(recipes, st.integers(0, 30))
def test_canonical_is_canonical(recipe: Recipe, before: int) -> None:
    canonical, _ = canonical_config(built(recipe, before))
    assert canonical_config(canonical) == (canonical, {})


@given(recipes, st.integers(0, 30))
def test_every_reference_of_a_graph_has_its_layer(recipe: Recipe, before: int) -> None:
    for config in graphs(canonical_config(built(recipe, before))[0]):
        names = {one["config"]["name"] for one in config["layers"]}
        references = [config["input_layers"][0][0], config["output_layers"][0]]
        for one in config["layers"]:
            references.append(one["name"])
            for node in one["inbound_nodes"]:
                references += [tensor["config"]["keras_history"][0] for tensor in node["args"]]
        assert set(references) == names


def graphs(value: Any) -> Iterator[Config]:
    if isinstance(value, dict):
        if "input_layers" in value:
            yield value
        for item in value.values():
            yield from graphs(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from graphs(item)


lookalikes = st.dictionaries(
    st.sampled_from(["layers", "input_layers", "output_layers", "keras_history", "name"]),
    values(3),
)


@given(configs | lookalikes | st.builds(lambda config: {"layer": config}, lookalikes))
def test_no_config_is_too_strange(config: Config) -> None:
    canonical, names = canonical_config(config)
    assert_same(live_config(canonical, names), config)
    assert all(isinstance(name, str) for name in names.values())
