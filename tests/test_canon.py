"""Canonical JSON: one value, one text; and every value of a config comes back as what it was."""

from __future__ import annotations

import json
import math
import os
import string
import subprocess
import sys
import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import DTYPES, assert_same, configs, difference, keras_objects, texts, values

from kvcs import canon
from kvcs.errors import FormatError
from kvcs.npy import true_dtype
from kvcs.spec import ClassRef, TensorRef, VariableRef

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
long_lists = st.builds(lambda item, size: [item] * size, plain, st.integers(15, 18))
JSON = st.recursive(
    plain | texts() | long_lists,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=4),
    max_leaves=8,
)


def array(dtype: Any, shape: Any, values: Any) -> dict[str, Any]:
    """What stands for an array."""
    return {"$array": {"dtype": dtype, "shape": shape, "values": values}}


def scalar(dtype: Any, value: Any) -> dict[str, Any]:
    """What stands for a scalar of NumPy."""
    return {"$scalar": {"dtype": dtype, "value": value}}


def stored(value: Any) -> str:
    """What stands in a file for a value."""
    return canon.dumps(canon.encode(value)).decode()


# --- values --------------------------------------------------------------------------------------

WRITTEN = [
    # a value, and what stands for it
    (None, "null"),
    (True, "true"),
    (1, "1"),
    (1.0, "1.0"),
    (-0.0, "-0.0"),
    (1e22, "1e+22"),
    (0.1, "0.1"),
    (2**64, "18446744073709551616"),
    ("é\n\u202e", '"é\\n\\u202e"'),
    ((1, 2), '{"$tuple": [1, 2]}'),
    (math.nan, '{"$float": "nan"}'),
    (-math.inf, '{"$float": "-inf"}'),
    (complex(1, -0.0), '{"$complex": [1.0, -0.0]}'),
    (b"\x00\xff", '{"$bytes": "AP8="}'),
    ({"b", "a"}, '{"$set": ["a", "b"]}'),
    (frozenset({2, 10}), '{"$frozenset": [10, 2]}'),
    (slice(None, 3), '{"$slice": [null, 3, null]}'),
    (range(0, 6, 2), '{"$range": [0, 6, 2]}'),
    (..., '{"$ellipsis": null}'),
    (TensorRef("lstm", 0, 2), '{"$tensor": "lstm[0][2]"}'),
    (VariableRef("layers/dense/kernel"), '{"$variable": "layers/dense/kernel"}'),
    (VariableRef("offset"), '{"$variable": "offset"}'),
    (
        ClassRef("a.b", "C"),
        '{"$class": {"module": "a.b", "class_name": "C", "registered_name": null}}',
    ),
    (np.float32(0.1), '{"$scalar": {"dtype": "float32", "value": 0.10000000149011612}}'),
    (np.float64(0.1), '{"$scalar": {"dtype": "float64", "value": 0.1}}'),  # a float to Python
    (np.int64(-1), '{"$scalar": {"dtype": "int64", "value": -1}}'),
    (np.bool_(True), '{"$scalar": {"dtype": "bool", "value": true}}'),
    (np.str_("é"), '{"$scalar": {"dtype": "str", "value": "é"}}'),
    (np.float16("nan"), '{"$scalar": {"dtype": "float16", "value": {"$float": "nan"}}}'),
    (np.complex64(1), '{"$scalar": {"dtype": "complex64", "value": {"$complex": [1.0, 0.0]}}}'),
    (true_dtype("bfloat16").type(1.5), '{"$scalar": {"dtype": "bfloat16", "value": 1.5}}'),
    (np.array(1.5), '{"$array": {"dtype": "float64", "shape": [], "values": [1.5]}}'),
    ({np.int8(1), 2}, '{"$set": [2, {"$scalar": {"dtype": "int8", "value": 1}}]}'),
    ({"a": 1, "b": 2}, '{"a": 1, "b": 2}'),
    ({"b": 2, "a": 1}, '{"$dict": [["b", 2], ["a", 1]]}'),
    ({1: "one"}, '{"$dict": [[1, "one"]]}'),
    ({"$tuple": []}, '{"$dict": [["$tuple", []]]}'),
    (
        np.array([[1, 2]], "int8"),
        '{"$array": {"dtype": "int8", "shape": [1, 2], "values": [1, 2]}}',
    ),
    (
        np.array([0.5, math.nan]).astype(true_dtype("bfloat16")),
        '{"$array": {"dtype": "bfloat16", "shape": [2], "values": [0.5, {"$float": "nan"}]}}',
    ),
    (
        np.array(["a", "bc"]),
        '{"$array": {"dtype": "str", "shape": [2], "values": ["a", "bc"]}}',
    ),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN, ids=[text[:30] for _, text in WRITTEN])
def test_is_written_as(value: Any, text: str) -> None:
    assert canon.encode(value) == json.loads(text)
    assert json.dumps(canon.encode(value)) == json.dumps(json.loads(text))  # 1 is not 1.0
    assert_same(canon.decode(json.loads(text)), value)


@given(values())
@example([1, 1.0, True, -0.0, 0.0, (), [], "", b"", None, {}, set(), frozenset()])
@example({1: [], "1": (), None: {}, (1, "a"): 0, b"": ...})
@example(np.array([1, 2**64 - 1], "uint64"))
def test_every_value_comes_back_through_the_bytes(value: Any) -> None:
    encoded = canon.encode(value)
    data = canon.dumps(encoded)
    assert_same(canon.decode(canon.loads(data)), value)
    assert canon.dumps(canon.encode(canon.decode(encoded))) == data


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_scalar_of_every_dtype_comes_back(dtype: str) -> None:
    one = np.ones((), true_dtype(dtype))[()]
    assert isinstance(one, np.generic)
    found = canon.decode(canon.loads(canon.dumps(canon.encode(one))))
    assert type(found) is type(one)
    assert_same(found, one)


def test_a_text_of_numpy_as_a_key_comes_back() -> None:
    (key,) = canon.decode(canon.loads(canon.dumps(canon.encode({np.str_("a"): 1}))))
    assert type(key) is np.str_


@given(configs)
def test_a_config_comes_back_whatever_its_keys(config: dict[str, Any]) -> None:
    encoded = canon.encode_schema(config)
    found = canon.decode(canon.loads(canon.dumps(encoded)))
    assert_same({"class_name": "A", "config": found}, {"class_name": "A", "config": config})
    assert canon.dumps(canon.encode_schema(found)) == canon.dumps(encoded)


def test_the_same_can_tell_what_python_calls_equal() -> None:
    """The helper of these tests is worth something only if it can fail."""
    different = [
        1, 1.0, True, 0.0, -0.0, complex(0, 0.0), complex(0, -0.0), "1", b"1", None, ...,
        (1,), [1], {1}, frozenset({1}), {1: 1}, {1: True}, {"a": 1, "b": 2}, {"b": 2, "a": 1},
        range(0), range(0, 0, 2), slice(1), slice(1.0),
        np.float64(0.0), np.float64(-0.0), np.float32(0.0), np.int64(0), np.int32(0), np.bool_(0),
        np.str_("1"), np.array(0.0), VariableRef("1"),
        np.array([0.0]), np.array([-0.0]), np.array([0]), np.array([[0]]),
    ]  # fmt: skip
    for one, a in enumerate(different):
        for other, b in enumerate(different):
            assert bool(difference(a, b)) == (one != other), (a, b)
    assert difference(math.nan, -math.nan) == difference(np.float16("nan"), np.float16("nan")) == ""


@given(st.sets(texts(), min_size=2, max_size=6).flatmap(lambda keys: st.permutations(sorted(keys))))
def test_the_order_of_a_users_dict_is_kept(keys: list[str]) -> None:
    value = {key: number for number, key in enumerate(keys)}
    assert list(canon.decode(canon.loads(canon.dumps(canon.encode(value))))) == keys


def backwards(value: dict[str, Any]) -> dict[str, Any]:
    return dict(reversed(value.items()))


@given(keras_objects(values(2)))
@example({"class_name": "Dense", "config": {"$b": 1, 2: 3, "a": 4}})
def test_the_order_of_constructor_arguments_means_nothing(value: dict[str, Any]) -> None:
    other = backwards(value)
    if isinstance(other["config"], dict) and not canon.is_object(other["config"]):
        other["config"] = backwards(other["config"])
    assert stored(other) == stored(value)
    assert canon.same(other, value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object, "cannot be stored: type <class 'object'>"),
        ([1, object], "cannot be stored: type <class 'object'>"),
        ({"a": np.array([object()])}, "arrays of dtype object cannot be stored"),
        (
            np.array(["2020-01-01"], "datetime64[D]"),
            "arrays of dtype datetime64[D] cannot be stored",
        ),
        (np.datetime64("2020-01-01"), "arrays of dtype datetime64[D] cannot be stored"),
    ],
)
def test_what_is_no_value_is_named(value: Any, reason: str) -> None:
    with pytest.raises(TypeError) as caught:
        canon.encode(value)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        ({"$new": 1}, "expected a single known $ key, got ['$new']"),
        ({"$tuple": [], "$set": []}, "expected a single known $ key, got ['$set', '$tuple']"),
        ({"$tuple": [], "a": 1}, "expected a single known $ key, got ['$tuple', 'a']"),
        ({"$tuple": 1}, "bad $tuple: 'int' object is not iterable"),
        ({"$float": "1.5"}, "bad $float: expected nan, inf or -inf, got '1.5'"),
        ({"$bytes": "a"}, "bad $bytes: expected base64, got 'a'"),
        ({"$bytes": "AP8=\n"}, "bad $bytes: expected base64, got 'AP8=\\n'"),
        ({"$bytes": "é"}, "bad $bytes: expected base64, got 'é'"),
        ({"$dict": [["a", 1], ["a", 2]]}, "bad $dict: a key stands twice"),
        ({"$dict": [[[], 1]]}, "bad $dict: unhashable type: 'list'"),
        ({"$set": [[]]}, "bad $set: unhashable type: 'list'"),
        ({"$ellipsis": 0}, "bad $ellipsis: expected null"),
        ({"$tensor": "a[0]"}, "bad $tensor: expected layer[call][output], got 'a[0]'"),
        ({"$tensor": "a[01][0]"}, "bad $tensor: expected layer[call][output], got 'a[01][0]'"),
        ({"$tensor": "a[-1][0]"}, "bad $tensor: expected layer[call][output], got 'a[-1][0]'"),
        ({"$range": [0, 1, 0]}, "bad $range: range() arg 3 must not be zero"),
        (array("object", [1], [1]), "bad $array: unknown dtype 'object'"),
        (array("int8", [2], [1]), "bad $array: 1 values for shape [2]"),
        (array("int8", [1], [1.0]), "bad $array: values that are not those of an array of int8"),
        ({"$array": {"dtype": "int8", "shape": [1]}}, "bad $array: 'values'"),
        (scalar("object", 1), "bad $scalar: unknown dtype 'object'"),
        (scalar(None, 1), "bad $scalar: unknown dtype None"),
        (scalar("int8", 1.0), "bad $scalar: values that are not those of an array of int8"),
        (scalar("int8", 128), "bad $scalar: Python integer 128 out of bounds for int8"),
        (scalar("int4", 8), "bad $scalar: values that are not those of an array of int4"),
        (scalar("float32", 0.1), "bad $scalar: values that are not those of an array of float32"),
        (scalar("bfloat16", 1), "bad $scalar: values that are not those of an array of bfloat16"),
        (scalar("bool", 1), "bad $scalar: values that are not those of an array of bool"),
        (scalar("str", "a\0"), "bad $scalar: values that are not those of an array of str"),
        (scalar("int8", [1]), "bad $scalar: values that are not those of an array of int8"),
        ({"$scalar": {"dtype": "int8"}}, "bad $scalar: 'value'"),
        ({"$scalar": 1}, "bad $scalar: 'int' object is not subscriptable"),
        ({"$class": {"module": None, "class_name": "A"}}, "bad $class: 'registered_name'"),
        (
            {"$class": {"module": None, "class_name": None, "registered_name": None}},
            "bad $class: expected the names of a class, got [None, None, None]",
        ),
        (
            {"$class": {"module": 1, "class_name": "A", "registered_name": None}},
            "bad $class: expected the names of a class, got [1, 'A', None]",
        ),
        ({"$variable": ""}, "bad $variable: expected the path of a weight, got ''"),
        ({"$variable": "/a"}, "bad $variable: expected the path of a weight, got '/a'"),
        ({"$variable": "a/"}, "bad $variable: expected the path of a weight, got 'a/'"),
        ({"$variable": "a//b"}, "bad $variable: expected the path of a weight, got 'a//b'"),
        ({"$variable": ["a"]}, "bad $variable: expected the path of a weight, got ['a']"),
    ],
    ids=str,
)
def test_what_encode_does_not_write_is_refused(encoded: Any, reason: str) -> None:
    with pytest.raises(FormatError) as caught:
        canon.decode(encoded)
    assert str(caught.value) == reason


@given(
    st.dictionaries(st.sampled_from(sorted(canon.TAGS)), JSON, min_size=1, max_size=1)
    | st.builds(
        array,
        st.sampled_from(["float32", "int4", "uint64", "bool", "str"]) | JSON,
        st.lists(st.integers(-2, 3), max_size=3) | JSON,
        st.lists(JSON, max_size=4) | JSON,
    )
    | st.builds(
        scalar, st.sampled_from(["float32", "int4", "bool", "str", "complex64"]) | JSON, JSON
    )
)
def test_whatever_stands_under_a_tag_is_read_or_refused(encoded: Any) -> None:
    try:
        value = canon.decode(encoded)
    except FormatError:
        return
    assert_same(canon.decode(canon.encode(value)), value)


# --- bytes ---------------------------------------------------------------------------------------


def test_the_layout() -> None:
    value = {"b": [1, None, 2.5], "a": {"z": [], "y": {}, "x": [[1, 2], ["text", 3]]}, "é": True}
    assert (
        canon.dumps(value).decode()
        == """\
{
  "a": {
    "x": [
      [1, 2],
      [
        "text",
        3
      ]
    ],
    "y": {},
    "z": []
  },
  "b": [1, null, 2.5],
  "é": true
}
"""
    )


@given(JSON)
def test_loads_reads_what_dumps_writes(value: Any) -> None:
    assert_same(canon.loads(canon.dumps(value)), json.loads(json.dumps(value, sort_keys=True)))


@given(JSON)
def test_any_json_reader_reads_it_too(value: Any) -> None:
    assert_same(json.loads(canon.dumps(value)), json.loads(json.dumps(value, sort_keys=True)))


@given(st.dictionaries(texts(), JSON, min_size=2, max_size=4))
def test_the_bytes_do_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    assert canon.dumps(backwards(value)) == canon.dumps(value)


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    program = "from kvcs import canon; print(canon.dumps(canon.encode({*'abcdefgh', b'1', 2, ()})))"
    command = [sys.executable, "-c", program]
    written = {
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(written) == 1


@pytest.mark.parametrize("top", [lambda items: items, lambda items: {"a": items}])
def test_sixteen_numbers_stand_on_one_line_and_seventeen_do_not(top: Any) -> None:
    short, long = canon.dumps(top([0, -1.5, None, True] * 4)), canon.dumps(top(list(range(17))))
    assert short.count(b"0, -1.5, null, true") == 4
    assert b", " not in long
    assert long.count(b"\n") - canon.dumps(top([])).count(b"\n") == 18


@pytest.mark.parametrize("last", ["text", {}, [1]])
def test_one_item_that_is_no_number_puts_each_on_its_own_line(last: Any) -> None:
    data = canon.dumps({"a": {"b": [[*range(9), last]]}})
    assert data.count(b"\n        ") >= 10
    assert b"0, 1" not in data


@pytest.mark.parametrize("text", ["[\n 1,\n 2\n]", "1,\n  2", "[", "]"])
def test_text_that_looks_like_a_list_is_left_alone(text: str) -> None:
    for value in ([text, 1], [1, text], {text: [1, 2]}, [[text]]):
        assert canon.loads(canon.dumps(value)) == value


def test_what_cannot_be_seen_is_escaped() -> None:
    """A review shows what is there: no character is invisible, or turns the line around."""
    categories = {"Cc", "Cs", "Zl", "Zp"}
    formats = [
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        0x61C,
        0xFEFF,
    ]
    for code in range(0x10000):
        char = chr(code)
        if unicodedata.category(char) in categories or code in formats:
            data = canon.dumps([char + " "])
            assert data.isascii(), hex(code)
            assert set(data[:-1].decode()) - {"\n"} <= set(string.printable) - set("\t\r\x0b\x0c")
            assert json.loads(data) == [char + " "]


@pytest.mark.parametrize("text", ["é", "日本", "\U0001f409", "e\u0301", "~", "\xa0"])
def test_what_can_be_seen_stays(text: str) -> None:
    assert canon.dumps(text) == f'"{text}"\n'.encode()


def deep(levels: int) -> Any:
    """A value of that many levels."""
    return 1 if levels == 1 else [deep(levels - 1)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b'{"a": 1,"a": 2}', "key 'a' stands twice in one object", id="key twice"),
        pytest.param(b"[NaN]", "NaN is not JSON", id="NaN"),
        pytest.param(b"-Infinity\n", "-Infinity is not JSON", id="Infinity"),
        pytest.param(b"[1e999]", "number 1e999 is too large for a float", id="1e999"),
        pytest.param(b"-1" + b"0" * 400 + b".0", f"number -1{'0' * 38} is too large", id="-1e400"),
        pytest.param(b"1" * 5000, "not JSON: a number of 5,000 digits", id="huge int"),
        pytest.param(b'"\xff"', "not UTF-8 at byte 1", id="not UTF-8"),
        pytest.param(b'"\xed\xa0\x80"', "not UTF-8 at byte 1", id="surrogate in UTF-8"),
        pytest.param(b"", "not JSON: Expecting value in line 1", id="empty"),
        pytest.param(b"{\n  a: 1}", "not JSON: Expecting property name", id="bare key"),
        pytest.param(b"\xef\xbb\xbf1\n", "not JSON: Unexpected UTF-8 BOM", id="BOM"),
        pytest.param(b"1\n1\n", "not JSON: Extra data in line 2", id="two values"),
        pytest.param(b"[" * 100 + b"1" + b"]" * 100, "nested more than 100 deep", id="101 deep"),
        pytest.param(b"[" * 100_000, "nested more than 100 deep", id="100,000 deep"),
    ],
)
def test_what_is_no_json_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError) as caught:
        canon.loads(data)
    assert str(caught.value).startswith(reason)  # the rest is said by Python's json


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"1", id="no final newline"),
        pytest.param(b"1\n\n", id="two final newlines"),
        pytest.param(b" 1\n", id="leading space"),
        pytest.param(b"1\r\n", id="CRLF"),
        pytest.param(b'{"a":1}\n', id="on one line"),
        pytest.param(b'{\n "a": 1\n}\n', id="one space"),
        pytest.param(b'{\n\t"a": 1\n}\n', id="tab"),
        pytest.param(b'{\n  "a" : 1\n}\n', id="space before colon"),
        pytest.param(b'{\n  "b": 1,\n  "a": 1\n}\n', id="order"),
        pytest.param(b'{\n  "a": [1,2]\n}\n', id="no space in list"),
        pytest.param(b'{\n  "a": [\n    1\n  ]\n}\n', id="short list on many lines"),
        pytest.param(b'"\\u0041"\n', id="needless escape"),
        pytest.param(b'"\\u202E"\n', id="uppercase escape"),
        pytest.param(b'"\\/"\n', id="escaped slash"),
        pytest.param('"\u202e"\n'.encode(), id="bare bidirectional mark"),
        pytest.param(b'"\\ud83d\\ude00"\n', id="escaped pair"),
        pytest.param(b"1.50\n", id="trailing zero"),
        pytest.param(b"1E3\n", id="uppercase exponent"),
        pytest.param(b"-0\n", id="negative integer zero"),
        pytest.param(b"1e-999\n", id="underflow"),
        pytest.param(b"0.1000000000000000055511151231257827\n", id="more digits than there are"),
    ],
)
def test_json_in_another_form_is_refused(data: bytes) -> None:
    assert json.loads(data) is not None
    with pytest.raises(FormatError, match=r"^not in canonical form \(sorted keys, two spaces, one"):
        canon.loads(data)


@given(JSON, st.data())
def test_only_one_text_is_read_for_a_value(value: Any, data: st.DataObject) -> None:
    """Flip any byte: what is read is another value, or nothing."""
    whole = canon.dumps(value)
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    flipped = bytearray(whole)
    flipped[at] ^= 1 << bit
    try:
        found = canon.loads(bytes(flipped))
    except FormatError:
        return
    assert difference(found, canon.loads(whole))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(
            ["\ud83d\ude00"], r"text with a pair of surrogates: '\ud83d\ude00'", id="pair"
        ),
        pytest.param(10**5000, "Exceeds the limit (4300", id="huge int"),
        pytest.param(math.nan, "nan is no JSON", id="nan"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(value: Any, reason: str) -> None:
    """JSON reads two escaped surrogates as one character."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        canon.dumps(value)
    assert str(caught.value).startswith(reason)


def test_a_hundred_levels_are_written_and_read() -> None:
    assert canon.loads(canon.dumps(deep(100))) == deep(100)


@given(st.lists(values(2), max_size=3), st.lists(values(2), max_size=3))
def test_same_means_the_same_bytes(one: list[Any], other: list[Any]) -> None:
    assert canon.same(one, one)
    assert canon.same(one, other) == (difference(one, other) == "")
