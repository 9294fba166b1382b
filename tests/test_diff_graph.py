"""Models inside models become one graph of layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cli import call, dense, image, nested, small
from networks import Network

from kvcs.comparison.flatten import flatten
from kvcs.comparison.graph import below, name_of, relocated, step
from kvcs.spec import (
    Call,
    ClassRef,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    SharedLayer,
    StoredModel,
    TensorRef,
)


def edges(model: StoredModel) -> dict[str, list[list[str]]]:
    """Return what each call of each layer consumes."""
    found = flatten(model)
    return {
        path: [[source.path for source in one] for one in node.calls]
        for path, node in found.nodes.items()
    }


def inside(build: Any, *names: str) -> ModelSpec:
    layers = tuple(
        replace(dense(name, source=None), path=f"layers/{name}", calls=()) for name in names
    )
    cls = ClassRef("keras", {"sequence": "Sequential"}.get(build, "Mine"))
    return ModelSpec(cls=cls, config={}, build=build, layers=layers)


def holding(model: ModelSpec, *calls: Call) -> StoredModel:
    """Describe a graph that calls a model on its input, and gives out the last."""
    entry = LayerEntry(name="body", path="layers/body", calls=calls, layer=model)
    outputs = [TensorRef("body", len(calls) - 1, 0)]
    return replace(small(), model=replace(small().model, layers=(image(), entry), outputs=outputs))


def test_a_graph() -> None:
    assert edges(small()) == {"image": [[]], "dense": [["image"]]}


def test_a_sequence_in_a_graph() -> None:
    found = edges(nested())
    # A layer that stands in both has a call in each.
    assert found["encoder/dense"] == [["image"], ["encoder/norm"]]
    assert found["encoder/norm"] == [["encoder/dense"]]
    assert flatten(nested()).aliases == {"dense": "encoder/dense"}


def test_a_model_that_is_called_twice() -> None:
    twice = Call(args=(TensorRef("body", 0, 0),), kwargs={}, outputs=())
    model = holding(inside("sequence", "a", "b"), call("image", None, 3), twice)
    assert edges(model)["body/a"] == [["image"], ["body/b"]]
    assert edges(model)["body/b"] == [["body/a"], ["body/a"]]
    graph = flatten(model)
    assert graph.before["body/a"] == ("image",)  # not the way back
    assert [source.path for source in graph.outputs] == ["body/b"]


def test_a_class_without_a_graph_is_a_chain() -> None:
    found = edges(holding(inside("class", "a", "b"), call("image", None, 3)))
    assert found == {"image": [[]], "body/a": [["image"]], "body/b": [["body/a"]]}


def test_a_model_without_layers_is_a_layer() -> None:
    found = flatten(holding(inside("class"), call("image", None, 3)))
    assert list(found.nodes) == ["image", "body"]
    assert list(found.containers) == [""]


def test_a_model_inside_has_inputs_that_are_no_layers() -> None:
    network = Network()
    numbers = network.chain("InputLayer", "Dense", "Dense", "Dense")
    network.wrap(numbers[2:], name="head")
    graph = flatten(network.stored())
    assert list(graph.ports) == ["head/input_layer"]
    assert graph.before["head/dense"] == ("dense",)
    assert graph.containers["head"].members == ("head/input_layer", "head/dense", "head/dense_1")


def test_a_model_that_shares_itself() -> None:
    body = inside("sequence", "a")
    itself = LayerEntry(
        name="me", path="layers/me", calls=(), layer=SharedLayer(path="layers/body")
    )
    model = holding(replace(body, layers=(*body.layers, itself)), call("image", None, 3))
    assert edges(model)["body/a"] == [["image"]]


def test_models_in_models_that_are_all_called_twice() -> None:
    """Forty of them would be a million million calls."""
    model: LayerSpec = inside("sequence", "end")
    for _ in range(40):
        entry = LayerEntry(
            name="in", path="layers/in", layer=model,
            calls=(call("x", None), Call(args=(TensorRef("in", 0, 0),), kwargs={}, outputs=())),
        )  # fmt: skip
        x = replace(image(), name="x", path="layers/x")
        model = ModelSpec(
            cls=ClassRef("keras", "Functional"), config={}, build="graph", layers=(x, entry),
            inputs=[TensorRef("x", 0, 0)], outputs=[TensorRef("in", 1, 0)],
        )  # fmt: skip
    assert isinstance(model, ModelSpec)
    assert len(flatten(replace(small(), model=model)).nodes) == 2


def test_inputs_in_a_dict_are_bound_by_key() -> None:
    layers = tuple(replace(image(), name=name, path=f"layers/{name}") for name in ("one", "two"))
    last = replace(dense("last", source="two"), path="layers/last")
    body = ModelSpec(
        cls=ClassRef("keras", "Functional"), config={}, build="graph", layers=(*layers, last),
        inputs={"b": TensorRef("one", 0, 0), "a": TensorRef("two", 0, 0)},
        outputs=[TensorRef("last", 0, 0)],
    )  # fmt: skip
    given = {"a": TensorRef("image", 0, 0), "b": TensorRef("other", 0, 0)}
    model = holding(body, Call(args=(given,), kwargs={}, outputs=()))
    other = replace(image(), name="other", path="layers/other")
    model = replace(model, model=replace(model.model, layers=(other, *model.model.layers)))
    assert edges(model)["body/last"] == [["image"]]


def test_paths() -> None:
    assert below("", "a/b") == "a~1b"
    assert below("x", "") == "x/~"
    for name in ("", "a", "a/b", "~", "~1", "/"):
        assert name_of(below("scope", name)) == name
        assert "/" not in step(name)


def test_where_something_stands_now() -> None:
    places = {"layers/a": "layers/b", "layers/a/layers/c": "layers/b/layers/d"}
    assert relocated("layers/a/kernel", places) == "layers/b/kernel"
    assert relocated("layers/a/layers/c/x/y", places) == "layers/b/layers/d/x/y"
    assert relocated("momentums/layers/a/kernel", places) == "momentums/layers/b/kernel"
    assert relocated("layers/gone/kernel", places) == "layers/gone/kernel"
    assert relocated("iterations", places) == "iterations"
