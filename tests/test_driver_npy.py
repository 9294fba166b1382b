"""What `git diff` shows of tensors: lines that tell what changed, of any file."""

from __future__ import annotations

import math
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from cli import process

from kvcs.commands.drivers.npy import BLOCK, SAMPLE, described


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "array.npy"


def of(file: Path, array: object) -> list[str]:
    """Describe an array, without the line that holds its digest."""
    np.save(file, array)  # type: ignore[arg-type]
    return [line for line in described(file) if not line.startswith("sha256: ")]


def test_numbers(file: Path) -> None:
    assert of(file, np.array([[0, 1, 2], [3, 4, 8]], "float32")) == [
        "dtype: float32",
        "shape: (2, 3)",
        "values: min 0, max 8",
        "mean: 3, std: 2.58199",
        "quantiles: 5% 0, 25% 1, 50% 2, 75% 4, 95% 8",
        "zeros: 1 of 6",
    ]


def test_the_digest_is_that_of_the_file(file: Path) -> None:
    np.save(file, np.ones(3))
    assert f"sha256: {sha256(file.read_bytes()).hexdigest()[:16]}" in described(file)


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int64", "uint64", "float16", ">f8", "longdouble"]
)
def test_any_number(file: Path, dtype: str) -> None:
    assert "values: min 0, max 1" in of(file, np.array([0, 1], dtype))


def test_complex_numbers_by_their_magnitude(file: Path) -> None:
    assert "magnitude: min 0, max 5" in of(file, np.array([0, 3 + 4j]))


def test_bits_of_another_dtype_are_called_what_they_are_stored_as(file: Path) -> None:
    assert of(file, np.array([0x3F80], "uint16"))[0] == "dtype: uint16"


def test_a_scalar(file: Path) -> None:
    assert of(file, np.float64(2.5))[1:4] == [
        "shape: ()",
        "values: min 2.5, max 2.5",
        "mean: 2.5, std: 0",
    ]


@pytest.mark.parametrize(("shape", "text"), [((0,), "(0)"), ((3, 0), "(3, 0)")])
def test_nothing(file: Path, shape: tuple[int, ...], text: str) -> None:
    assert of(file, np.zeros(shape)) == ["dtype: float64", f"shape: {text}"]


def test_what_is_not_finite(file: Path) -> None:
    assert of(file, np.array([np.nan, np.inf, -np.inf, 1.0, np.nan]))[2:] == [
        "values: min 1, max 1",
        "mean: 1, std: 0",
        "quantiles: 5% 1, 25% 1, 50% 1, 75% 1, 95% 1",
        "zeros: 0, NaN: 2, infinite: 2 of 5",
    ]
    assert of(file, np.array([np.nan]))[2:] == ["zeros: 0, NaN: 1 of 1"]


def test_more_than_fits_a_block(file: Path) -> None:
    values = np.random.default_rng(0).normal(1000.0, 1.0, BLOCK // 4 + 7)
    found = of(file, values)
    mean, deviation = (float(part.split(" ")[1]) for part in found[3].split(", "))
    assert mean == pytest.approx(values.mean(), rel=1e-5)
    assert deviation == pytest.approx(values.std(), rel=1e-5)
    step = math.ceil(values.size / SAMPLE)
    median = np.quantile(values[::step], 0.5, method="inverted_cdf")
    assert f"50% {median:.6g}" in found[4]
    assert found[4].endswith(f"(one value in {step})")


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.array(["a", "b"]), "dtype: <U1"),
        (np.array(["2026-01-01"], "datetime64[D]"), "dtype: datetime64[D]"),
        (np.zeros(2, [("x", "f4")]), "dtype: [('x', '<f4')]"),
    ],
)
def test_what_has_no_statistics(file: Path, array: object, dtype: str) -> None:
    assert of(file, array) == [dtype, of(file, array)[1]]


def test_objects_are_not_unpickled(file: Path) -> None:
    np.save(file, np.array([{}], object), allow_pickle=True)
    assert described(file)[-1].startswith("pickled objects, which are not read; size: ")


def test_an_lfs_pointer_is_shown_as_it_is(file: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    file.write_text(pointer)
    assert described(file) == pointer.splitlines()


@pytest.mark.parametrize(
    "content", [b"", b"no array", b"\x93NUMPY\x09\x00", b"\x93NUMPY\x01\x00v\x00{"]
)
def test_what_is_no_array(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    found = described(file)
    assert found[0].startswith("not a .npy file: ")
    assert found[1] == f"size: {len(content)} bytes"


@pytest.mark.parametrize("change", [-1, 1])
def test_an_array_that_is_too_short_or_long(file: Path, change: int) -> None:
    np.save(file, np.ones(4))
    data = file.read_bytes()
    file.write_bytes(data[:change] if change < 0 else data + b"x")
    assert described(file)[-1] == f"damaged: {160 + change} bytes where the header promises 160"


def test_two_arrays_are_never_described_alike(file: Path) -> None:
    np.save(file, np.array([1.0, 2.0]))
    one = described(file)
    np.save(file, np.array([2.0, 1.0]))
    assert one != described(file)


def test_the_command(file: Path) -> None:
    np.save(file, np.ones(3))
    done = process("driver", "npy", "--", str(file))
    assert (done.code, done.lines, done.err) == (0, described(file), "")
