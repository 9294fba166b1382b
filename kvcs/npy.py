"""Tensors as `.npy` files whose every byte kvcs decides.

The file is NumPy's format version 1.0 (NEP 1, `numpy.lib.format`), little-endian and in C order,
never pickled. The header is laid out here, for NumPy's own layout has changed between versions.
A dtype that NumPy does not know is stored by its bits, as unsigned integers of its size, so that
`np.load` opens every file without ml_dtypes; the true dtype stands in the JSON file beside it.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from kvcs.errors import FormatError

if TYPE_CHECKING:
    # Imported where an array is made: it takes longer than all that a small commit has to do.
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
else:
    Array = Any
Buffer: TypeAlias = bytes | bytearray | memoryview

MAGIC = b"\x93NUMPY\x01\x00"
ALIGNMENT = 64
MAX_RANK = 32
MAX_BYTES = 2**63 - 1
MAX_TEXT, MAX_TEXT_FACTOR = 1 << 24, 16

# dtype by Keras' name -> the dtype of the stored array. What stands below the first line are the
# dtypes of ml_dtypes, by their bits.
STORED = {
    **{f"float{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
    **{f"{sign}int{bits}": f"{'<' if bits > 8 else '|'}{sign or 'i'}{bits // 8}"
       for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "bool": "|b1",
    "complex64": "<c8",
    "complex128": "<c16",
    "bfloat16": "<u2",
    **dict.fromkeys(
        (
            "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fn",
            "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
            "float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn",
            "int2", "int4", "uint2", "uint4",
        ),
        "|u1",
    ),
}  # fmt: skip

_ELEMENTS = frozenset({bool, int, float, complex, str})  # of `array_values`

_DESCR = "|".join(re.escape(descr) for descr in sorted(set(STORED.values())))
_HEADER = re.compile(
    rf"\{{'descr': '({_DESCR})', 'fortran_order': False, 'shape': \(([0-9, ]*)\), \}} *\n".encode()
)


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a `.npy` file says: the stored dtype, the shape, where data begins."""

    descr: str
    shape: tuple[int, ...]
    offset: int


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Return Keras' name for a dtype, whatever its byte order.

    Raises:
        TypeError: no tensor of that dtype can be stored (objects, text, records, dates).
    """
    name = str(dtype.name)
    if name in STORED:
        return name
    if dtype.kind == "U":
        return "str"
    raise TypeError(f"arrays of dtype {dtype} cannot be stored")


def true_dtype(name: str) -> np.dtype[Any]:
    """Return the dtype of a name in `STORED`, from ml_dtypes where NumPy has none."""
    import numpy as np

    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return found


def _is_extension(dtype: np.dtype[Any]) -> bool:
    # Not by `kind`: ml_dtypes gives float8_e5m2 the kind of a native float.
    return dtype.type.__module__ != "numpy"


def encode(array: Array) -> tuple[bytes, memoryview]:
    """Return the two parts of the `.npy` file of an array: header and data, the data uncopied.

    Raises:
        TypeError: the dtype cannot be stored, or so many axes.
    """
    import numpy as np

    name = dtype_name(array.dtype)
    if name not in STORED:
        raise TypeError(f"arrays of dtype {array.dtype} cannot be stored")
    if array.ndim > MAX_RANK:
        raise TypeError(f"arrays of more than {MAX_RANK} axes cannot be stored")
    stored = np.dtype(STORED[name])
    contiguous = np.asarray(array, order="C")
    if contiguous.dtype != stored:
        by_bits = _is_extension(contiguous.dtype)
        contiguous = contiguous.view(stored) if by_bits else contiguous.astype(stored)
    flat = contiguous.reshape(-1)
    return header(STORED[name], array.shape), flat.view(np.uint8).data


def header(descr: str, shape: tuple[int, ...]) -> bytes:
    """Lay out the header: padded with spaces so that the data begins at a multiple of 64."""
    sizes = ", ".join(str(size) for size in shape) + ("," if len(shape) == 1 else "")
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}".encode()
    used = len(MAGIC) + 2 + len(text) + 1
    text += b" " * (-used % ALIGNMENT) + b"\n"
    return MAGIC + struct.pack("<H", len(text)) + text


def parse_header(data: Buffer, size: int) -> Header:
    """Read the header of a `.npy` file of `size` bytes, of which `data` holds the beginning.

    Raises:
        FormatError: not the header that `header` lays out, or one that promises more or less
            data than there is. Nothing is allocated before that is known.
    """
    start = len(MAGIC) + 2
    if bytes(data[: len(MAGIC)]) != MAGIC or len(data) < start:
        raise FormatError("not a .npy file of version 1.0")
    (length,) = struct.unpack("<H", data[len(MAGIC) : start])
    found = _HEADER.fullmatch(bytes(data[start : start + length]))
    if found is None:
        raise FormatError("not the header that kvcs writes")
    sizes = re.findall(rb"\d+", found[2])
    if any(len(size) > len(str(MAX_BYTES)) for size in sizes):  # nor will Python convert them
        raise FormatError("a shape that no array can have")
    shape = tuple(int(size) for size in sizes)
    descr = found[1].decode()
    if header(descr, shape) != bytes(data[: start + length]):
        raise FormatError("not the header that kvcs writes")
    check_shape(descr, shape)
    expected = start + length + math.prod(shape) * _item_size(descr)
    if size != expected:
        raise FormatError(f"{size} bytes where the header promises {expected}")
    return Header(descr, shape, start + length)


def _item_size(descr: str) -> int:
    return int(descr[2:])  # as in "<f4"


def check_shape(descr: str, shape: tuple[int, ...]) -> None:
    """Check that there can be an array of a stored dtype and a shape.

    Raises:
        FormatError: too many axes or elements, even if none is left for an axis of size 0.
    """
    elements = math.prod(axis for axis in shape if axis)
    if len(shape) > MAX_RANK or elements * _item_size(descr) > MAX_BYTES:
        raise FormatError("a shape that no array can have")


def decode(data: Buffer, dtype: str) -> Array:
    """Return the array in the bytes of a `.npy` file, uncopied and read-only.

    Raises:
        FormatError: not a `.npy` file that kvcs writes, or one that does not hold `dtype`.
    """
    import numpy as np

    found = parse_header(data, len(data))
    if STORED.get(dtype) != found.descr:
        raise FormatError(f"holds {found.descr}, which is not how {dtype} is stored")
    array = np.frombuffer(data, found.descr, offset=found.offset).reshape(found.shape)
    array = array.view(true_dtype(dtype))
    array.flags.writeable = False
    return array


def array_values(array: Array) -> list[Any]:
    """Return the elements in C order, as Python numbers or text that hold them exactly."""
    import numpy as np

    dtype_name(array.dtype)  # raises for what cannot be stored
    if _is_extension(array.dtype):
        array = array.astype(np.int64 if "int" in array.dtype.name else np.float64)
    values: list[Any] = array.reshape(-1).tolist()
    return values


def array_from_values(dtype: str, shape: tuple[int, ...], values: list[Any]) -> Array:
    """Return the array that `array_values` took apart.

    Raises:
        ValueError: the dtype is unknown, the number of values is not that of the shape, or one
            is not a value of the dtype.
    """
    if dtype != "str" and dtype not in STORED:
        raise ValueError(f"unknown dtype {dtype!r}")
    if len(values) != math.prod(shape):
        raise ValueError(f"{len(values)} values for shape {list(shape)}")
    # Before NumPy sees one: it makes room for all that a range stands for.
    if {type(value) for value in values} <= _ELEMENTS:
        array = _array_of(dtype, values)
        if repr(array_values(array)) == repr(values):  # 1, 1.0 and True are three values
            return array.reshape(shape)
    raise ValueError(f"values that are not those of an array of {dtype}")


def _array_of(dtype: str, values: list[Any]) -> Array:
    import numpy as np

    if dtype == "str":
        # An array gives each text the room of the longest.
        sizes = [len(value) for value in values if isinstance(value, str)]
        room = len(values) * max(sizes, default=0)
        if room > MAX_TEXT and room > MAX_TEXT_FACTOR * sum(sizes):
            raise ValueError(f"texts that would take the room of {room:,} characters")
        return np.array(values, dtype=np.str_)
    true = true_dtype(dtype)
    with np.errstate(all="ignore"):
        # ml_dtypes takes numbers of NumPy's; NumPy guesses float64 for 1 beside 2**64 - 1.
        return np.array(values).astype(true) if _is_extension(true) else np.array(values, true)
