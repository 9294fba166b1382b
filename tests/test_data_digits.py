"""The data set of the demo: what is stored, what is loaded, and whose it is."""

from __future__ import annotations

import hashlib
import io
from importlib import resources

import numpy as np
import pytest

from kvcs.data import digits

SHA256 = {
    "images.npy": "88e52eb3e11cb9cc0130dc8fc4b6256aa919b3275fec17e6c2f880e1ae8d34ae",
    "labels.npy": "03ec0343bca84958ae3df825f252a3680415fa07fccb1ed1125ed521c13169e5",
}
SHAPES = {"images.npy": (1797, 8, 8), "labels.npy": (1797,)}
# How often the authors count each digit in their test part.
CLASS_COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]

FIRST_IMAGE = """\
 0  0  5 13  9  1  0  0
 0  0 13 15 10 15  5  0
 0  3 15  2  0 11  8  0
 0  4 12  0  0  8  8  0
 0  5  8  0  0  9  8  0
 0  4 11  0  1 12  7  0
 0  2 14  5 10 12  0  0
 0  0  6 13 10  0  0  0
"""


def stored(name: str) -> bytes:
    return resources.files("kvcs.data.digits").joinpath(name).read_bytes()


@pytest.mark.parametrize("name", SHA256)
def test_stored_bytes_are_pinned(name: str) -> None:
    assert hashlib.sha256(stored(name)).hexdigest() == SHA256[name]


@pytest.mark.parametrize("name", SHAPES)
def test_stored_arrays_are_plain_npy(name: str) -> None:
    file = io.BytesIO(stored(name))
    assert np.lib.format.read_magic(file) == (1, 0)
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    assert (shape, fortran_order, dtype) == (SHAPES[name], False, np.dtype(np.uint8))
    assert len(file.read()) == np.prod(shape)


def test_shapes_and_dtypes() -> None:
    (x_train, y_train), (x_test, y_test) = digits.load()
    assert (x_train.shape, y_train.shape) == ((1437, 8, 8, 1), (1437,))
    assert (x_test.shape, y_test.shape) == ((360, 8, 8, 1), (360,))
    assert {x_train.dtype, x_test.dtype} == {np.dtype(np.float32)}
    assert {y_train.dtype, y_test.dtype} == {np.dtype(np.uint8)}


def test_images_are_scaled_to_one() -> None:
    for images, _ in digits.load():
        assert (images.min(), images.max()) == (0.0, 1.0)


def test_every_digit_is_there_as_often_as_the_authors_say() -> None:
    (_, y_train), (_, y_test) = digits.load()
    assert np.bincount(np.concatenate([y_train, y_test])).tolist() == CLASS_COUNTS
    assert np.bincount(y_test).tolist() == [35, 36, 35, 37, 37, 37, 37, 36, 33, 37]


def test_first_image_is_the_zero_of_the_source() -> None:
    (x_train, y_train), _ = digits.load()
    rows = x_train[0, :, :, 0] * 16
    assert "".join(" ".join(f"{v:2.0f}" for v in row) + "\n" for row in rows) == FIRST_IMAGE
    assert y_train[0] == 0


def test_scaling_and_splitting_lose_nothing() -> None:
    (x_train, y_train), (x_test, y_test) = digits.load()
    images = np.load(io.BytesIO(stored("images.npy")), allow_pickle=False)
    labels = np.load(io.BytesIO(stored("labels.npy")), allow_pickle=False)
    np.testing.assert_array_equal(np.concatenate([x_train, x_test])[..., 0] * 16, images)
    np.testing.assert_array_equal(np.concatenate([y_train, y_test]), labels)


def test_test_part_begins_22_digits_into_a_form() -> None:
    # A form begins with the digits in order, three times over; the last but one lacks a few.
    (_, y_train), (_, y_test) = digits.load()
    labels = y_train.tolist() + y_test.tolist()
    in_order = list(range(10)) * 3
    assert labels[len(y_train) - 22 :][:30] == in_order
    assert labels[1545:][:15] == in_order[:15]
    assert labels[1667:][:30] == in_order


def test_each_load_returns_new_arrays() -> None:
    (first, _), _ = digits.load()
    first[:] = -1
    (second, _), _ = digits.load()
    assert second.min() == 0.0


@pytest.mark.parametrize(
    "fact",
    [
        "Optical Recognition of Handwritten Digits",
        "E. Alpaydin and C. Kaynak",
        "UCI Machine Learning Repository",
        "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        "https://doi.org/10.24432/C50P49",
        "CC BY 4.0",
        "https://creativecommons.org/licenses/by/4.0/",
        "## What was changed",
        "without warranties",
        *SHA256.values(),
    ],
)
def test_attribution_travels_with_the_data(fact: str) -> None:
    assert fact in stored("ATTRIBUTION.md").decode()
