"""Which layers a small drawing shows, and how the rest is folded."""

from __future__ import annotations

import numpy as np
import pytest
from edits import edit, network
from networks import Network
from test_diff_table import of_class, seven

from kvcs.comparison import diff
from kvcs.render.neighbourhood import OUTPUT, Both, Drawing, both, drawn


def graph(old: Network, new: Network) -> Both:
    return both(diff(old.stored(), new.stored()))


def told(drawing: Drawing) -> list[str]:
    """Return the connections of a drawing in words."""
    names = [
        spot.layers[0][0] or "(output)" if spot.shown else f"… {len(spot.layers)}"
        for spot in drawing.spots
    ]
    arrows = {"both": "→", "new": "⇒", "old": "⇢"}
    return [
        f"{names[source]} {arrows[sides]} {names[target]}"
        for (source, target), sides in sorted(drawing.edges.items())
    ]


def test_a_layer_between_two_others() -> None:
    old = seven()
    new = old.copy()
    new.insert(of_class(new, "Dense")[3], "Dense")
    found = graph(old, new)
    assert found.focus == [("dense_4", False)]
    assert told(drawn(found, 1)) == [
        "… 7 → dense_3", "dense_3 ⇒ dense_4", "dense_3 ⇢ dropout_3", "dense_4 ⇒ dropout_3",
        "dropout_3 → … 5",
    ]  # fmt: skip
    assert told(drawn(found, 1, context=False)) == ["… 8 ⇒ dense_4", "… 8 ⇢ … 6", "dense_4 ⇒ … 6"]


def test_a_layer_that_was_removed_stands_where_it_stood() -> None:
    old = seven()
    new = old.copy()
    new.delete(of_class(new, "Dense")[3])
    found = graph(old, new)
    assert found.focus == [("dense_3", True)]
    assert told(drawn(found, 1)) == [
        "… 6 → dropout_2", "dropout_2 ⇢ dense_3", "dropout_2 ⇒ dropout_3", "dense_3 ⇢ dropout_3",
        "dropout_3 → … 5",
    ]  # fmt: skip


def test_the_last_layer_is_next_to_the_output() -> None:
    old = seven()
    new = old.copy()
    new.layers[new.outputs[0]].config["activation"] = "tanh"
    assert told(drawn(graph(old, new), 1)) == [
        "… 12 → dropout_5", "dropout_5 → dense_6", "dense_6 → (output)",
    ]  # fmt: skip


def branches() -> tuple[Network, list[int], int]:
    """Return a network with forty branches side by side, and what joins them."""
    found = Network()
    start = found.add("InputLayer")
    ends = [found.chain("Dense", "Dense", on=start)[-1] for _ in range(40)]
    return found, ends, found.add("Concatenate", *ends)


def test_what_stands_side_by_side_is_one_run() -> None:
    old, _, joined = branches()
    old.add("Dense", joined)
    new = old.copy()
    new.layers[new.outputs[0]].config["activation"] = "tanh"
    assert told(drawn(graph(old, new), 1)) == [
        "… 81 → concatenate", "concatenate → dense_80", "dense_80 → (output)",
    ]  # fmt: skip


def test_no_run_goes_around_what_is_shown() -> None:
    old, _, joined = branches()
    last = old.add("Dense", joined)
    old.add("Add", last, old.chain("Dense", "Dense", on=1)[-1])
    new = old.copy()
    new.layers[last].config["activation"] = "tanh"
    assert told(drawn(graph(old, new), 1, context=False)) == [
        "… 82 → … 2", "… 82 → dense_80", "… 2 → add", "dense_80 → add",
    ]  # fmt: skip


def test_more_important_layers_come_first() -> None:
    old = seven()
    new = old.copy()
    dense = of_class(new, "Dense")
    for number in of_class(new, "Dropout")[:4]:
        new.layers[number].config["rate"] = 0.5
    new.layers[dense[1]].config["activation"] = "gelu"
    new.insert(dense[4], "Dense")
    assert [path for path, _ in graph(old, new).focus] == [
        "dense_5", "dense_1", "dropout", "dropout_1", "dropout_2", "dropout_3",
    ]  # fmt: skip


def test_weights_alone_are_nothing_to_draw() -> None:
    old = seven()
    new = old.copy()
    new.nudge()
    new.layers[of_class(new, "Dense")[0]].trainable = False
    assert graph(old, new).focus == []


@pytest.mark.parametrize("seed", range(40))
def test_of_any_edits(seed: int) -> None:
    random = np.random.default_rng(seed)
    old = network(seed)
    new = old.copy()
    for _ in range(int(random.integers(1, 6))):
        edit(new, random)
    found = graph(old, new)
    for most in range(len(found.focus) + 1):
        drawing = drawn(found, most)
        shown = [key for spot in drawing.spots for key in spot.layers]
        assert len(shown) == len(set(shown))
        assert set(found.layers) - {OUTPUT} <= set(shown)
        alone = {spot.layers[0] for spot in drawing.spots if spot.shown}
        assert set(found.focus[:most]) <= alone
        for source, target in found.edges:
            if {source, target} & set(found.focus[:most]):
                assert {source, target} <= alone
        if all(sides == "both" for sides in found.edges.values()):
            assert is_without_cycles(drawing)


def is_without_cycles(drawing: Drawing) -> bool:
    left = set(drawing.edges)
    while left:
        begun = {source for source, _ in left} - {target for _, target in left}
        rest = {edge for edge in left if edge[0] not in begun}
        if rest == left:
            return False
        left = rest
    return True
