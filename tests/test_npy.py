"""Tensor files: their bytes are pinned, NumPy opens them, and nothing else is read."""

from __future__ import annotations

import hashlib
import io
import math
import struct
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import DTYPES, LAYOUTS, NATIVE, assert_same, of_bits, plain, shapes, tensors

from kvcs import npy
from kvcs.errors import FormatError


def encoded(array: npy.Array) -> bytes:
    return b"".join(npy.encode(array))


def file(text: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """A `.npy` file with any header, laid out as kvcs does: aligned to 64 bytes."""
    fields = text.encode() + b" " * (-(10 + len(text) + 1) % 64) + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(fields)) + fields + data


def described(descr: str = "'<f4'", order: str = "False", shape: str = "(2,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


ARRAY = np.array([1, 2], "float32")
FILE = file(described(), ARRAY.tobytes())


# --- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "data"),
    [
        pytest.param(
            np.array([[1, -2]], "float32"),
            b"\x93NUMPY\x01\x00v\x00"
            b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }" + b" " * 58 + b"\n"
            b"\x00\x00\x80\x3f\x00\x00\x00\xc0",
            id="matrix",
        ),
        pytest.param(
            np.array(True),
            b"\x93NUMPY\x01\x00v\x00"
            b"{'descr': '|b1', 'fortran_order': False, 'shape': (), }" + b" " * 62 + b"\n\x01",
            id="scalar",
        ),
        pytest.param(
            np.array([1, -1]).astype(npy.true_dtype("bfloat16")),
            b"\x93NUMPY\x01\x00v\x00"
            b"{'descr': '<u2', 'fortran_order': False, 'shape': (2,), }" + b" " * 60 + b"\n"
            b"\x80\x3f\x80\xbf",
            id="bfloat16",
        ),
        pytest.param(
            np.zeros((0, 3), "complex128"),
            b"\x93NUMPY\x01\x00v\x00"
            b"{'descr': '<c16', 'fortran_order': False, 'shape': (0, 3), }" + b" " * 57 + b"\n",
            id="empty",
        ),
    ],
)
def test_the_bytes_are_pinned(array: npy.Array, data: bytes) -> None:
    assert encoded(array) == data


def test_the_digest_of_a_file_is_pinned() -> None:
    array = np.arange(6, dtype="int64").reshape(2, 3)
    assert hashlib.sha256(encoded(array)).hexdigest() == (
        "93667f9d4ebb559bf5edd298e9a5d5fbf21929dabcbc44c344a8124b82a1fe76"
    )


@given(shapes | st.lists(st.integers(0, 2**62), max_size=32).map(tuple), st.sampled_from(DTYPES))
def test_data_begins_at_a_multiple_of_64(shape: tuple[int, ...], dtype: str) -> None:
    header = npy.header(npy.STORED[dtype], shape)
    assert len(header) % 64 == 0
    assert header.endswith(b"\n")
    assert np.lib.format.read_magic(io.BytesIO(header)) == (1, 0)
    after_magic = io.BytesIO(header[8:])
    found = np.lib.format.read_array_header_1_0(after_magic, max_header_size=len(header))
    assert found == (shape, False, np.dtype(npy.STORED[dtype]))


# Every dtype with every shape that is peculiar; the random ones follow.
SHAPES = [(), (0,), (1,), (3,), (2, 3), (0, 3), (3, 0), (2, 1, 3), (1,) * 32]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_back_in_every_shape(dtype: str) -> None:
    for shape in SHAPES:
        size = math.prod(shape) * np.dtype(npy.STORED[dtype]).itemsize
        array = of_bits(dtype, shape, (bytes(range(1, 256, 7)) * 3)[:size])
        for layout in LAYOUTS.values() if array.size and array.ndim else [LAYOUTS["C"]]:
            given = layout(array)
            found = npy.decode(encoded(given), dtype)
            assert (found.dtype.name, found.shape) == (dtype, shape)
            assert found.tobytes() == given.tobytes()


@given(tensors())
@example(np.array(1, ">f8"))
@example(np.array([0x7FA00001], "<u4").view("<f4").astype(">f4"))  # a NaN that signals
def test_every_bit_comes_back(array: npy.Array) -> None:
    found = npy.decode(encoded(array), array.dtype.name)
    assert (found.dtype.name, found.shape) == (array.dtype.name, array.shape)
    assert found.tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()
    assert encoded(found) == encoded(array)


@given(tensors(NATIVE))
def test_numpy_reads_the_same_array(array: npy.Array) -> None:
    found = np.load(io.BytesIO(encoded(array)), allow_pickle=False)
    assert (found.dtype.name, found.shape) == (array.dtype.name, array.shape)
    assert found.tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()


def test_numpy_opens_every_file_without_ml_dtypes() -> None:
    """In a process of its own: here, ml_dtypes is imported already."""
    arrays = [of_bits(dtype, (2,), bytes(range(32))[: 2 * np.dtype(npy.STORED[dtype]).itemsize])
              for dtype in DTYPES]  # fmt: skip
    program = (
        "import io, sys, numpy\n"
        "sys.modules['ml_dtypes'] = None\n"
        "for line in sys.stdin:\n"
        "    print(numpy.load(io.BytesIO(bytes.fromhex(line)), allow_pickle=False).tobytes().hex())"
    )
    command = [sys.executable, "-I", "-c", program]
    files = "\n".join(encoded(array).hex() for array in arrays)
    done = subprocess.run(command, input=files, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [array.tobytes().hex() for array in arrays]


@given(tensors(), tensors())
def test_the_bytes_are_those_of_the_values_whatever_the_layout(
    one: npy.Array, other: npy.Array
) -> None:
    def told(array: npy.Array) -> tuple[str, tuple[int, ...], bytes]:
        little = array.astype(array.dtype.newbyteorder("<"))
        return npy.STORED[array.dtype.name], array.shape, little.tobytes()

    assert (encoded(one) == encoded(other)) == (told(one) == told(other))


def test_encoding_does_not_copy() -> None:
    array = np.zeros(1000)
    _, data = npy.encode(array)
    array[0] = 1
    assert data[:8] == np.float64(1).tobytes()


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.array([object()]), "arrays of dtype object cannot be stored"),
        (np.array(["text"]), "arrays of dtype <U4 cannot be stored"),
        (np.array([b"text"]), "arrays of dtype |S4 cannot be stored"),
        (np.zeros(1, "V4"), "arrays of dtype |V4 cannot be stored"),
        (np.zeros(1, [("a", "f4")]), "arrays of dtype [('a', '<f4')] cannot be stored"),
        (np.zeros(1, "datetime64[s]"), "arrays of dtype datetime64[s] cannot be stored"),
    ],
    ids=["object", "str", "bytes", "void", "record", "date"],
)
def test_what_is_no_tensor_is_not_written(array: npy.Array, reason: str) -> None:
    with pytest.raises(TypeError) as caught:
        npy.encode(array)
    assert str(caught.value) == reason


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 has 32 axes")
def test_an_array_of_33_axes_is_not_written() -> None:
    with pytest.raises(TypeError, match=r"^arrays of more than 32 axes cannot be stored$"):
        npy.encode(np.zeros((1,) * 33))


# --- reading -------------------------------------------------------------------------------------


def test_the_array_is_a_view_of_the_bytes_and_cannot_be_written() -> None:
    array = npy.decode(FILE, "float32")
    assert np.shares_memory(array, np.frombuffer(FILE, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    writable = npy.decode(bytearray(FILE), "float32")
    assert not writable.flags.writeable
    assert npy.decode(memoryview(FILE), "float32").tobytes() == ARRAY.tobytes()


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e5m2", "int4"])
def test_a_dtype_that_numpy_does_not_know_is_a_view_too(dtype: str) -> None:
    data = encoded(np.array([1, 2], np.int8).astype(npy.true_dtype(dtype)))
    array = npy.decode(data, dtype)
    assert array.astype(int).tolist() == [1, 2]
    assert np.shares_memory(array.view(np.uint8), np.frombuffer(data, np.uint8))
    assert not array.flags.writeable


HEADER = "not the header that kvcs writes"
VERSION = "not a .npy file of version 1.0"
SHAPE = "a shape that no array can have"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", VERSION, id="nothing"),
        pytest.param(FILE[:9], VERSION, id="no length"),
        pytest.param(b"\x93NUMPY\x01\x00\x00\x00", HEADER, id="no header"),
        pytest.param(FILE[:100], HEADER, id="half a header"),
        pytest.param(b"PK\x03\x04" + FILE, VERSION, id="zip"),
        pytest.param(file(described(), FILE[128:], b"\x02\x00"), VERSION, id="version 2.0"),
        pytest.param(file(described(), FILE[128:], b"\x01\x01"), VERSION, id="version 1.1"),
        pytest.param(FILE[:-1], "135 bytes where the header promises 136", id="truncated"),
        pytest.param(FILE + b"\0", "137 bytes where the header promises 136", id="extra byte"),
        pytest.param(file(described(order="True"), FILE[128:]), HEADER, id="Fortran order"),
        pytest.param(file(described("'>f4'"), FILE[128:]), HEADER, id="big-endian"),
        pytest.param(file(described("'=f4'"), FILE[128:]), HEADER, id="native order"),
        pytest.param(file(described("'|O'"), FILE[128:]), HEADER, id="objects"),
        pytest.param(file(described("'|V4'"), FILE[128:]), HEADER, id="void"),
        pytest.param(file(described("'<U1'"), FILE[128:]), HEADER, id="text"),
        pytest.param(file(described("[('a', '<f4')]"), FILE[128:]), HEADER, id="record"),
        pytest.param(file(described("'<M8[s]'"), FILE[128:]), HEADER, id="date"),
        pytest.param(file(described(shape="(-2,)"), FILE[128:]), HEADER, id="negative"),
        pytest.param(file(described(shape="(2)"), FILE[128:]), HEADER, id="no tuple"),
        pytest.param(file(described(shape="(02,)"), FILE[128:]), HEADER, id="leading zero"),
        pytest.param(file(described(shape="(2, )"), FILE[128:]), HEADER, id="space"),
        pytest.param(file(described(shape="(True, 2)"), FILE[128:]), HEADER, id="bool"),
        pytest.param(file(described(shape="(2L,)"), FILE[128:]), HEADER, id="Python 2"),
        pytest.param(file(described() + " # 1", FILE[128:]), HEADER, id="comment"),
        pytest.param(file(described() + " " * 64, FILE[128:]), HEADER, id="more padding"),
        pytest.param(file("__import__('os').abort()"), HEADER, id="code"),
        pytest.param(file(described("b'<f4'"), FILE[128:]), HEADER, id="bytes"),
        pytest.param(FILE.replace(b"'<f4', ", b"'<f4' ,"), HEADER, id="space before comma"),
        pytest.param(FILE.replace(b" \n", b"\n\n"), HEADER, id="two lines"),
        pytest.param(
            file(described(shape=str((1,) * 33)), b"1234"), SHAPE, id="33 axes"
        ),
        pytest.param(file(described(shape=f"(0, {10**30})")), SHAPE, id="huge and empty"),
        pytest.param(file(described(shape=f"(0, {2**62})")), SHAPE, id="too many bytes and empty"),
        pytest.param(file(described(shape=f"({'9' * 5000},)")), SHAPE, id="5000 digits"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError) as caught:
        npy.decode(data, "float32")
    assert str(caught.value) == reason


def test_the_files_of_these_tests_are_right_but_for_what_they_test() -> None:
    assert encoded(ARRAY) == FILE
    assert npy.decode(FILE, "float32").tolist() == [1, 2]


@pytest.mark.parametrize(
    ("dtype", "reason"),
    [
        ("int32", "holds <f4, which is not how int32 is stored"),
        ("bfloat16", "holds <f4, which is not how bfloat16 is stored"),
        ("object", "holds <f4, which is not how object is stored"),
    ],
)
def test_another_dtype_is_refused(dtype: str, reason: str) -> None:
    with pytest.raises(FormatError) as caught:
        npy.decode(FILE, dtype)
    assert str(caught.value) == reason


def test_a_promise_of_3_tib_allocates_nothing() -> None:
    data = file(described(shape=f"({3 << 38},)"))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError) as caught:
            npy.decode(data, "float32")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert str(caught.value) == "128 bytes where the header promises 3298534883456"


def test_the_header_alone_tells_what_a_file_holds() -> None:
    """Only the beginning of a large file needs to be read, given its size."""
    assert npy.parse_header(FILE[:128], len(FILE)) == npy.Header("<f4", (2,), 128)


@given(tensors(), st.data())
def test_no_part_and_no_more_of_a_file_is_read(array: npy.Array, data: st.DataObject) -> None:
    whole = encoded(array)
    length = data.draw(st.integers(0, len(whole) - 1))
    for damaged in (whole[:length], whole + whole[:1], whole + bytes(length)):
        if damaged != whole:
            with pytest.raises(FormatError):
                npy.decode(damaged, array.dtype.name)


@given(st.binary(max_size=200) | st.binary(max_size=120).map(lambda tail: FILE[:10] + tail))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    try:
        array = npy.decode(data, "float32")
    except FormatError:
        return
    assert encoded(array) == data


@pytest.mark.parametrize("at", range(128))
def test_every_byte_of_a_header_counts(at: int) -> None:
    for bit in range(8):
        flipped = bytearray(FILE)
        flipped[at] ^= 1 << bit
        with pytest.raises(FormatError):
            npy.decode(flipped, "float32")


# --- arrays in JSON ------------------------------------------------------------------------------


@given(tensors().map(plain))
@example(np.array([1, 2**64 - 1], "uint64"))
@example(np.array([-(2**63), 2**63 - 1], "int64"))
@example(np.array(0.1, "float16"))
def test_values_hold_an_array_exactly(array: npy.Array) -> None:
    name = npy.dtype_name(array.dtype)
    assert_same(npy.array_from_values(name, array.shape, npy.array_values(array)), array)


@pytest.mark.parametrize(
    ("dtype", "shape", "values", "reason"),
    [
        ("object", (1,), [1], "unknown dtype 'object'"),
        ("float32", (2,), [1.0], "1 values for shape [2]"),
        ("float32", (-1,), [1.0], "1 values for shape [-1]"),
        ("float32", (1,), [1], "values that are not those of an array of float32"),
        ("float32", (1,), [0.1], "values that are not those of an array of float32"),
        ("float32", (1,), [1e300], "values that are not those of an array of float32"),
        ("float32", (1,), ["1.0"], "values that are not those of an array of float32"),
        ("float32", (1,), [None], "values that are not those of an array of float32"),
        ("uint8", (1,), [True], "values that are not those of an array of uint8"),
        ("int4", (1,), [8], "values that are not those of an array of int4"),
        ("bool", (1,), [1], "values that are not those of an array of bool"),
        ("bfloat16", (1,), [1.001], "values that are not those of an array of bfloat16"),
        ("str", (1,), ["a\0"], "values that are not those of an array of str"),
        ("str", (1,), [1], "values that are not those of an array of str"),
    ],
)  # fmt: skip
def test_values_of_another_kind_are_refused(
    dtype: str, shape: tuple[int, ...], values: list[Any], reason: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        npy.array_from_values(dtype, shape, values)
    assert str(caught.value) == reason
