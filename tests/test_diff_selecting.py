"""Parts of a diff: what is left out does not count, and what is left is a diff."""

from __future__ import annotations

import json

import numpy as np
import pytest
from edits import edit, network
from test_diff_data import complaints
from test_diff_table import of_class, seven

from kvcs.comparison import LEVELS, Diff, diff, from_dict, in_layers, only, schema, to_dict
from kvcs.comparison.values import KINDS
from kvcs.errors import KvcsError
from kvcs.render.verdict import verdict


def found() -> Diff:
    old = seven()
    new = old.copy()
    dense = of_class(new, "Dense")
    new.insert(dense[3], "Dense")
    for number in dense[:3]:
        new.layers[number].config["activation"] = "gelu"
    new.nudge([dense[0]])
    return diff(old.stored(), new.stored())


def test_every_kind_is_of_one_level() -> None:
    assert sorted(kind for kinds in LEVELS.values() for kind in kinds) == sorted(KINDS)


def test_a_level() -> None:
    part = only(found(), ["config"])
    assert {change.kind for change in part.changes} == {"config"}
    assert part.summary["added"] == 0
    assert part.left_out > 0
    assert verdict(part).startswith("SELECTED: 3 settings changed; ")


def test_what_does_not_count_is_no_difference() -> None:
    assert not only(found(), ["training", "notes"])


def test_all_levels() -> None:
    assert only(found(), list(LEVELS)) == found()


def test_no_such_level() -> None:
    with pytest.raises(KvcsError, match="there is no level 'weight': expected some of interface"):
        only(found(), ["weight"])


def test_layers() -> None:
    part = in_layers(found(), ["dense_[01]"])
    assert {change.path for change in part.changes} == {"dense_1"}
    assert part.groups == {}  # of one
    assert bool(in_layers(found(), ["nothing"])) is False


def test_the_old_path_matches_too() -> None:
    part = in_layers(found(), ["dense_4"])
    paths = {(change.old_path, change.new_path) for change in part.changes}
    assert ("dense_4", "dense_5") in paths


@pytest.mark.parametrize("seed", range(8))
def test_what_is_left_is_a_diff(seed: int) -> None:
    random = np.random.default_rng(seed)
    old = network(seed)
    new = old.copy()
    for _ in range(6):
        edit(new, random)
    whole = diff(old.stored(), new.stored())
    for part in (only(whole, ["config", "weights"]), in_layers(whole, ["d*", "*conv*"])):
        document = to_dict(part)
        assert complaints(document, schema()) == []
        assert from_dict(json.loads(json.dumps(document))) == part
