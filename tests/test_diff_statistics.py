"""How much weights changed, in numbers and in words that are certain."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from kvcs.comparison.statistics import CHUNK, added_rank, is_merged, sketch, statistics
from kvcs.npy import Array

random = np.random.default_rng(0)
OLD = random.normal(size=(32, 48)).astype("float32")


class TestNumbers:
    def test_of_a_small_change(self) -> None:
        old, new = np.array([3.0, 4.0, 0.0]), np.array([3.0, 4.0, 1.0])
        found = statistics(old, new)
        assert found.relative == pytest.approx(0.2)
        assert found.cosine == pytest.approx(25 / (5 * np.sqrt(26)))
        assert found.largest == 1.0
        assert found.share == pytest.approx(1 / 3)
        assert found.to_json() == {
            "relative": 0.2, "cosine": 0.980581, "largest": 1.0, "share": 0.333333,
        }  # fmt: skip

    def test_a_tensor_is_read_in_parts(self) -> None:
        old = np.zeros(2 * CHUNK + 3, "float32")
        new = old.copy()
        new[[0, CHUNK, -1]] = 1, -2, 3
        found = statistics(old, new)
        assert (found.largest, found.relative, found.cosine) == (3.0, None, None)
        assert found.share == pytest.approx(3 / old.size)

    @pytest.mark.parametrize("odd", [np.nan, np.inf])
    def test_what_is_not_finite_has_no_norm(self, odd: float) -> None:
        found = statistics(np.array([1.0, odd]), np.array([1.0, 2.0]))
        assert (found.relative, found.cosine, found.largest) == (None, None, None)
        assert found.share == 0.5

    def test_a_nan_that_stays_is_no_change(self) -> None:
        assert statistics(np.array([1.0, np.nan]), np.array([2.0, np.nan])).share == 0.5

    @pytest.mark.parametrize("shape", [(0,), (), (3, 0)])
    def test_any_shape(self, shape: tuple[int, ...]) -> None:
        assert statistics(np.ones(shape), np.ones(shape)).share == 0.0

    @pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "complex64"])
    def test_any_dtype(self, dtype: str) -> None:
        assert statistics(np.zeros(4, dtype), np.ones(4, dtype)).largest == 1.0


class TestLabels:
    @pytest.mark.parametrize(
        ("new", "labels"),
        [
            pytest.param(OLD + np.float32(0.01), (), id="trained"),
            pytest.param(random.normal(size=OLD.shape).astype("float32"), ("rewritten",), id="new"),
            pytest.param(OLD * np.float32(0.5), ("scaled",), id="scaled"),
            pytest.param(np.where(np.abs(OLD) < 0.3, 0, OLD), ("pruned",), id="pruned"),
            pytest.param(OLD.astype("float16"), ("cast",), id="float16"),
            pytest.param(OLD.astype(ml_dtypes.bfloat16), ("cast",), id="bfloat16"),
            pytest.param(OLD.astype("float64"), ("cast",), id="float64"),
            pytest.param((OLD * 40).astype("int8"), ("quantised",), id="int8"),
        ],
    )
    def test_what_was_done(self, new: Array, labels: tuple[str, ...]) -> None:
        assert statistics(OLD, new).labels == labels

    @pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
    def test_a_value_that_is_no_number(self, odd: float) -> None:
        new = OLD.copy()
        new[-1] = odd
        assert statistics(OLD, new).labels == ("not finite",)
        assert statistics(new, OLD).labels == ()

    def test_a_value_whose_square_is_too_large_is_a_number(self) -> None:
        assert statistics(np.ones(4), np.full(4, 1e200)).labels == ()

    def test_all_zeros_are_not_pruned(self) -> None:
        assert statistics(OLD, np.zeros_like(OLD)).labels == ()


class TestRank:
    @pytest.mark.parametrize("rank", [1, 4, 8])
    def test_of_what_was_added(self, rank: int) -> None:
        factors = random.normal(size=(32, rank)), random.normal(size=(rank, 48))
        assert added_rank(OLD, (OLD + factors[0] @ factors[1]).astype("float32")) == rank

    def test_of_training(self) -> None:
        assert added_rank(OLD, OLD + 0.01 * random.normal(size=OLD.shape)) is None

    def test_of_what_is_no_matrix(self) -> None:
        assert added_rank(np.ones(8), np.zeros(8)) is None


def test_a_sketch_is_of_length_one() -> None:
    assert np.linalg.norm(sketch(OLD)) == pytest.approx(1)
    assert not sketch(np.zeros(9)).any()
    assert not sketch(np.array([1.0, np.nan])).any()


class TestMerged:
    def test_the_product_of_two_factors(self) -> None:
        first, second = random.normal(size=(32, 4)), random.normal(size=(4, 48))
        new = OLD + 0.5 * (first @ second)
        assert is_merged(OLD, new, first, second, 0.5)
        assert not is_merged(OLD, new, first, second, 1.0)
        assert not is_merged(OLD.T, new, first, second, 0.5)

    def test_factors_of_more_axes(self) -> None:
        old, first = random.normal(size=(6, 2, 5)), random.normal(size=(6, 3))
        second = random.normal(size=(3, 2, 5))
        assert is_merged(old, old + np.tensordot(first, second, 1), first, second, 1.0)


def test_the_rank_of_a_matrix_in_many_blocks() -> None:
    old = random.normal(size=(1500, 700)).astype("float32")
    factors = random.normal(size=(1500, 5)), random.normal(size=(5, 700))
    assert added_rank(old, (old + factors[0] @ factors[1]).astype("float32")) == 5
    many = random.normal(size=(1500, 100)), random.normal(size=(100, 700))
    assert added_rank(old, (old + many[0] @ many[1]).astype("float32")) is None
