"""What a model takes and gives: an alarm, whatever it follows from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from networks import Network
from test_diff_table import counts, of_class, seven

from kvcs.comparison import Diff, diff, only
from kvcs.comparison.values import Change
from kvcs.spec import MISSING, StoredModel, TensorRef


def ports(found: Diff) -> list[tuple[str, Any, Any, str]]:
    return [(one.at, one.old, one.new, one.consequence_of) for one in found.of("interface")]


def given(network: Network, **structures: Any) -> StoredModel:
    stored = network.stored()
    return replace(stored, model=replace(stored.model, **structures))


def test_another_key_of_an_output() -> None:
    """Nothing else differs, and everything that uses the model by name breaks."""
    ref = seven().stored().model.outputs[0]
    old, new = (given(seven(), outputs={key: ref}) for key in ("probabilities", "logits"))
    found = diff(old, new)
    assert counts(found) == {"interface": 2}
    assert found
    tensor = {"shape": [None, 5], "dtype": "float32"}
    assert ports(found) == [
        (":outputs/logits", MISSING, tensor, ""),
        (":outputs/probabilities", tensor, MISSING, ""),
    ]


def test_a_shape_that_follows_from_a_setting() -> None:
    old = seven()
    new = old.copy()
    new.layers[new.outputs[0]].config["units"] = 7
    new.reshape()
    found = diff(old.stored(), new.stored())
    ((at, one, other, cause),) = ports(found)
    assert (at, one["shape"], other["shape"]) == (":outputs/0", [None, 5], [None, 7])
    assert cause.startswith("config dense")
    assert cause in {change.id for change in found.changes}
    assert "interface" not in counts(found)
    assert found.summary["notes"] == 1


def test_an_input_that_is_larger() -> None:
    old = seven()
    new = old.copy()
    new.layers[1].config["batch_shape"] = [None, 16]
    new.reshape()
    ((at, _, other, cause),) = ports(diff(old.stored(), new.stored()))
    assert (at, other["shape"], cause) == (
        ":inputs/0",
        [None, 16],
        "config input_layer batch_shape",
    )


def test_a_new_head() -> None:
    old = seven()
    new = old.copy()
    new.delete(new.outputs[0])
    new.add("Dense", of_class(new, "Dropout")[-1], units=3, name="head")
    found = diff(old.stored(), new.stored())
    ((_, _, other, cause),) = ports(found)
    assert other["name"] == "head"
    assert cause == "config head units"
    assert "interface" not in counts(found)


def test_a_second_output() -> None:
    old = seven()
    new = old.copy()
    new.outputs.append(of_class(new, "Dense")[2])
    found = diff(old.stored(), new.stored())
    ((at, one, _, cause),) = ports(found)
    assert (at, one) == (":outputs/1", MISSING)
    assert cause.startswith("connection_added ")
    assert counts(found) == {"connections_added": 1}


def test_outputs_in_another_order() -> None:
    old = seven()
    old.outputs.append(of_class(old, "Dense")[2])
    new = old.copy()
    new.outputs.reverse()
    found = diff(old.stored(), new.stored())
    assert [cause for *_, cause in ports(found)] == ["inputs_reordered ."] * 2
    assert counts(found) == {"inputs_reordered": 1}


def test_an_input_that_was_renamed() -> None:
    old = seven()
    new = old.copy()
    new.layers[1].name = "image"
    found = diff(old.stored(), new.stored())
    ((_, one, other, cause),) = ports(found)
    assert ("name" in one, other["name"], cause) == (False, "image", "renamed image")


def test_automatic_names_are_none() -> None:
    old = seven().stored()
    names = {"layers/input_layer": "input_layer_4", ".": "functional_1"}
    assert ports(diff(old, replace(old, live_names=names))) == []


def test_it_counts_once_what_it_follows_from_is_left_out() -> None:
    old = seven()
    new = old.copy()
    new.layers[new.outputs[0]].config["units"] = 7
    new.reshape()
    found = only(diff(old.stored(), new.stored()), ["interface"])
    assert counts(found) == {"interface": 1}
    assert found


def test_a_sequence_that_was_never_built() -> None:
    stored = seven().stored()
    layers = tuple(replace(entry, calls=()) for entry in stored.model.layers)
    sequence = replace(
        stored, model=replace(stored.model, build="sequence", inputs=None, outputs=None)
    )
    unbuilt = replace(sequence, model=replace(sequence.model, layers=layers))
    assert ports(diff(unbuilt, sequence)) == []
    notes: list[Change] = [one for one in diff(unbuilt, sequence).of("note") if ":" in one.at]
    assert [one.at for one in notes] == [":inputs", ":outputs"]


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_a_structure_that_refers_to_nothing(side: str) -> None:
    strange = given(seven(), **{side: [TensorRef("nowhere", 0, 0)]})
    assert diff(seven().stored(), strange).summary["interface"] <= 1
