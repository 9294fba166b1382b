"""Which layer is which: random edits whose truth is known, and what decides where it is unclear."""

from __future__ import annotations

import time

import numpy as np
import pytest
from edits import edit, network, rebuilt
from networks import Network

from kvcs.comparison.alignment import increasing
from kvcs.comparison.flatten import flatten
from kvcs.comparison.matcher import Match, match
from kvcs.comparison.weighing import likeness
from kvcs.errors import KvcsError

NETWORKS = 60


def matched(old: Network, new: Network, *, weights: bool = True) -> Match:
    compare = likeness(old.contents(), new.contents()) if weights else None
    return match(flatten(old.stored()), flatten(new.stored()), None, compare)


def share_found(edits: int, *, weights: bool) -> float:
    """Return the share of the layers in both networks that are paired as they are."""
    found = total = 0
    for seed in range(NETWORKS):
        random = np.random.default_rng(1000 + seed)
        old = network(seed)
        new = old.copy()
        for _ in range(edits):
            edit(new, random)
        new = rebuilt(new, random)
        pairs = matched(old, new, weights=weights).there
        ours, theirs = old.paths(), new.paths()
        common = ours.keys() & theirs.keys()
        total += len(common)
        found += sum(pairs.get(ours[number]) == theirs[number] for number in common)
    return found / total


@pytest.mark.parametrize(
    ("edits", "weights", "least"),
    [(0, False, 1.0), (3, True, 0.99), (8, True, 0.98), (3, False, 0.99), (8, False, 0.97)],
)
def test_share_of_pairs_found(edits: int, weights: bool, least: float) -> None:
    assert share_found(edits, weights=weights) >= least


def run(*classes: str) -> Network:
    found = Network()
    found.chain("InputLayer", *classes, ("Dense", {"units": 5}))
    found.nudge(by=0.1)
    return found


class TestStrategies:
    def test_each_pair_says_how_it_was_found(self) -> None:
        old = run("Dense", "Dropout", "Dense")
        new = old.copy()
        new.initialize(4)
        new.layers[4].config["activation"] = "tanh"
        how = matched(old, new).how
        assert {path: one.strategy for path, one in how.items()} == {
            "input_layer": "structure",
            "dense": "digest",
            "dropout": "structure",
            "dense_1": "aligned",
            "dense_2": "digest",
        }
        assert all(0 < one.score <= 1 for one in how.values())

    def test_a_hint_comes_first(self) -> None:
        old = run("Dense", "Dense")
        graphs = flatten(old.stored()), flatten(old.stored())
        found = match(*graphs, {"dense": "dense_1"})
        assert found.there["dense"] == "dense_1"
        assert found.how["dense"] == ("hint", 1.0)

    @pytest.mark.parametrize(
        ("hints", "message"),
        [
            ({"dens": "dense"}, "the old model has no layer 'dens'; did you mean 'dense'?"),
            ({"dense": "x/y"}, "the new model has no layer 'x/y'"),
            ({"dense": "dense", "dense_1": "dense"},
             "--map dense_1=dense: one of the two is already mapped"),
        ],
    )  # fmt: skip
    def test_a_wrong_hint(self, hints: dict[str, str], message: str) -> None:
        graph = flatten(run("Dense", "Dense").stored())
        with pytest.raises(KvcsError) as caught:
            match(graph, graph, hints)
        assert str(caught.value) == message

    def test_a_chosen_name_outweighs_place(self) -> None:
        old = run("Dense", "Dense", "Dense")
        old.layers[2].name = "stem"
        new = old.copy()
        new.layers[2].name, new.layers[4].name = None, "stem"
        new.scratch()
        assert matched(old, new, weights=False).there["stem"] == "stem"

    def test_in_a_run_the_last_one_is_the_one_without_partner(self) -> None:
        old = run(*["Dense"] * 4)
        new = old.copy()
        new.insert(1, "Dense")
        new.scratch()
        found = matched(old, new, weights=False)
        assert found.there["dense_3"] == "dense_3"
        assert found.new_runs == {"dense_4"}
        assert found.old_runs == frozenset()


def test_the_longest_rising_part() -> None:
    assert increasing([]) == []
    assert increasing([(0, 3), (1, 1), (2, 2), (3, 0), (4, 4)]) == [(1, 1), (2, 2), (4, 4)]


def test_eight_hundred_layers_take_a_moment() -> None:
    old = Network()
    old.chain("InputLayer", *["Conv", "BatchNormalization", "ReLU", "Dropout"] * 200)
    stored = old.stored()
    new = old.copy()
    new.scratch()
    graphs = flatten(stored), flatten(new.stored())
    start = time.perf_counter()
    assert len(match(*graphs).there) == 801
    assert time.perf_counter() - start < 2  # 0.1 s on an idle machine
