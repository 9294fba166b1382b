"""How the changes of a tensor's values are counted, and where the counts are found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import Network
from test_diff_table import of_class, seven

from kvcs.comparison import from_dict, to_dict, weighed_diff
from kvcs.comparison.histograms import BINS, histogram
from kvcs.comparison.statistics import CHUNK, statistics
from kvcs.comparison.threads import LARGE


def counts(old: np.ndarray, new: np.ndarray) -> tuple[int, ...] | None:
    return histogram(old, new, statistics(old, new))


def tuned() -> tuple[Network, Network]:
    old = seven()
    new = old.copy()
    new.nudge(of_class(new, "Dense")[:2])
    return old, new


def test_each_value_that_changed_is_counted_once() -> None:
    old = np.zeros(8, np.float32)
    new = np.array([0, 0, 0, -1, -0.5, 0.001, 0.5, 1], np.float32)
    found = counts(old, new)
    assert found is not None
    assert {at: many for at, many in enumerate(found) if many} == {0: 1, 10: 1, 20: 1, 30: 1, 40: 1}
    assert len(found) == BINS


@pytest.mark.parametrize("size", [3 * CHUNK + 7, LARGE + 1])
def test_bins_agree_with_numpy(size: int) -> None:
    random = np.random.default_rng(0)
    old, new = random.normal(size=(2, size))
    change = new - old
    largest = abs(change).max()
    expected, _ = np.histogram(change, BINS, (-largest, largest))
    assert counts(old, new) == tuple(expected.tolist())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_without_a_largest_change_there_are_no_bins(value: float) -> None:
    assert counts(np.zeros(3), np.array([0, 1, value])) is None


def test_without_a_change_there_are_no_bins() -> None:
    assert counts(np.ones(3), np.ones(3)) is None


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_any_finite_change_is_counted(values: list[float]) -> None:
    new = np.array(values, np.float32)
    found = counts(np.zeros_like(new), new)
    assert sum(found or ()) == np.count_nonzero(new)


def test_the_smallest_number_there_is() -> None:
    assert counts(np.zeros(1), np.array([5e-324])) == (*[0] * (BINS - 1), 1)


def test_they_are_in_a_diff_where_they_were_asked_for() -> None:
    old, new = tuned()
    sides = old.stored(), new.stored(), old.contents(), new.contents()
    found = weighed_diff(*sides, histograms=True)
    tensors = [
        numbers for change in found.of("weights") for numbers in change.details["tensors"].values()
    ]
    assert len(tensors) == 4
    assert all(len(numbers.pop("histogram")) == BINS for numbers in tensors)
    plain = [change.details["tensors"] for change in weighed_diff(*sides).of("weights")]
    assert [numbers for each in plain for numbers in each.values()] == tensors


def test_they_survive_json() -> None:
    old, new = tuned()
    sides = old.stored(), new.stored(), old.contents(), new.contents()
    found = weighed_diff(*sides, histograms=True)
    assert from_dict(to_dict(found)) == found
