"""Two models in one graph, and what of it is drawn as one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from edits import edit, network
from networks import Network
from reports import deep, edited

from kvcs.comparison import Diff, diff
from kvcs.comparison.flatten import flatten
from kvcs.render.html.folding import FEWEST, MOST, Run, chained, folded
from kvcs.render.html.graph import Union, alone, union


def joined(old: Network, new: Network) -> tuple[Union, Diff]:
    sides = old.stored(), new.stored()
    found = diff(*sides)
    return union(*map(flatten, sides), found), found


def looks(graph: Union) -> dict[str, str]:
    return {vertex.there.path: vertex.look for vertex in graph.vertices if vertex.look != "same"}


def drawn(graph: Union, runs: list[Run]) -> tuple[list[int], set[tuple[int, int]]]:
    """Return what is drawn: for each vertex its node, and the edges between nodes."""
    nodes = list(range(len(graph.vertices)))
    for run in runs:
        for member in run.members:
            nodes[member] = run.members[0]
    edges = {(nodes[edge.source], nodes[edge.target]) for edge in graph.edges}
    return nodes, {edge for edge in edges if edge[0] != edge[1]}


def has_cycle(edges: set[tuple[int, int]]) -> bool:
    left = set(edges)
    while True:
        targets = {target for _, target in left}
        kept = {(source, target) for source, target in left if source in targets}
        if kept == left:
            return bool(left)
        left = kept


def test_each_layer_is_there_once() -> None:
    graph, found = joined(*edited())
    assert looks(graph) == {
        "dense": "changed", "extra": "added", "dropout_3": "removed", "dense_4": "weights",
    }  # fmt: skip
    paths = Counter((each.old and each.old.path, each.new and each.new.path)
                    for each in graph.vertices)  # fmt: skip
    assert paths.total() == len(paths) == len({*found.old.layers, *found.new.layers})


def test_a_connection_is_in_the_old_model_in_the_new_one_or_in_both() -> None:
    graph, _ = joined(*edited())
    names = [vertex.there.path for vertex in graph.vertices]
    found = {(names[e.source], names[e.target]): e.sides for e in graph.edges if e.sides != "both"}
    assert found == {
        ("dense_1", "extra"): "new",
        ("extra", "batch_normalization_1"): "new",
        ("dense_1", "batch_normalization_1"): "old",
        ("re_lu_3", "dropout_3"): "old",
        ("dropout_3", "dense_4"): "old",
        ("re_lu_3", "dense_4"): "new",
    }


def test_what_stands_beside_a_new_layer_is_not_folded() -> None:
    graph, _ = joined(*edited())
    names = [vertex.there.path for vertex in graph.vertices]
    runs = [[names[member] for member in run.members] for run in folded(graph)]
    assert runs == [
        ["batch_normalization", "re_lu", "dropout"],
        ["re_lu_1", "dropout_1", "dense_2", "batch_normalization_2", "re_lu_2", "dropout_2",
         "dense_3", "batch_normalization_3"],
    ]  # fmt: skip


def test_a_trunk_that_did_not_change_is_one_node() -> None:
    def change(network: Network, numbers: list[int]) -> None:
        network.layers[numbers[-1]].config["units"] = 5
        network.reshape()

    graph, _ = joined(*deep(20, change))
    (run,) = folded(graph)
    assert run.title == "101 layers"
    assert run.told == "unchanged"
    assert len(set(drawn(graph, [run])[0])) == 2


def test_both_sides_of_a_change_are_not_one_node() -> None:
    def change(network: Network, numbers: list[int]) -> None:
        network.layers[numbers[27]].config["activation"] = "gelu"

    graph, _ = joined(*deep(10, change))
    runs = folded(graph)
    assert len(runs) == 2
    assert not has_cycle(drawn(graph, runs)[1])


def test_where_much_was_trained_weights_alone_are_folded_too() -> None:
    def change(network: Network, numbers: list[int]) -> None:
        network.nudge()
        network.layers[numbers[-1]].config["activation"] = "gelu"

    graph, _ = joined(*deep(30, change))
    assert sum(vertex.look == "weights" for vertex in graph.vertices) > MOST
    runs = folded(graph)
    assert [(run.look, run.told) for run in runs] == [("weights", "* weights of 90")]


def test_a_large_model_that_was_trained_keeps_its_form() -> None:
    graph, _ = joined(*deep(30, lambda network, numbers: network.nudge()))
    runs = folded(graph)
    assert [run.title for run in runs] == ["4 layers"] * 30
    assert {run.told for run in runs} == {"* weights of 3"}
    assert not has_cycle(drawn(graph, runs)[1])


def test_a_model_alone_has_everything_in_both() -> None:
    graph = alone(flatten(edited()[0].stored()))
    assert {vertex.look for vertex in graph.vertices} == {"same"}
    assert {edge.sides for edge in graph.edges} == {"both"}
    assert chained(graph) == []


def test_a_large_model_alone_is_drawn_as_chains() -> None:
    graph = alone(flatten(deep(20, lambda network, numbers: None)[0].stored()))
    runs = chained(graph)
    assert len(runs) == 20
    assert {run.told for run in runs} == {"Dense … Dense"}
    assert not has_cycle(drawn(graph, runs)[1])


@pytest.mark.parametrize("seed", range(30))
def test_no_arrow_goes_back_whatever_is_folded(seed: int) -> None:
    random = np.random.default_rng(seed)
    old = network(seed)
    new = old.copy()
    for _ in range(4):
        edit(new, random)
    graph, _ = joined(old, new)
    if has_cycle(drawn(graph, [])[1]):
        pytest.skip("the two models contradict each other: dagre turns an arrow")
    runs = folded(graph)
    _, edges = drawn(graph, runs)
    assert not has_cycle(edges)
    assert all(len(run.members) >= FEWEST for run in runs)
    members = [member for run in runs for member in run.members]
    assert len(members) == len(set(members))
    assert all(graph.vertices[member].look == "same" for member in members)
