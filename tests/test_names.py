"""Names: what a person chose stays, what Keras numbered is numbered anew, and paths are safe."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import texts

from kvcs.names import (
    MAX_SEGMENT,
    automatic_stem,
    canonical_names,
    is_automatic,
    segment,
    segments,
    snake_case,
)

CLASSES = ["Dense", "Conv2D", "InputLayer", "LSTM", "Dense_1", "MultiHeadAttention", "My>Layer"]


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("Dense", "dense"),
        ("Conv2D", "conv2d"),
        ("Conv2DTranspose", "conv2d_transpose"),
        ("LSTM", "lstm"),
        ("InputLayer", "input_layer"),
        ("MultiHeadAttention", "multi_head_attention"),
        ("PReLU", "p_re_lu"),
        ("TFSMLayer", "tfsm_layer"),
        ("my_layer", "my_layer"),
        ("My>Layer", "my_layer"),
    ],
)
def test_automatic_names_are_those_of_keras(class_name: str, name: str) -> None:
    assert snake_case(class_name) == name


@pytest.mark.parametrize(
    ("name", "class_name", "stem"),
    [
        ("dense", "Dense", "dense"),
        ("dense_12", "Dense", "dense"),
        ("dense_one", "Dense", None),
        ("dense_", "Dense", None),
        ("dense_1_2", "Dense", None),
        ("dense_٣", "Dense", None),
        ("dense", "Conv2D", None),
        ("Dense", "Dense", None),
        ("forward_lstm_3", "LSTM", "forward_lstm"),
        ("backward_lstm", "LSTM", "backward_lstm"),
        ("sideward_lstm", "LSTM", None),
        ("input_layer_4", "InputLayer", "input_layer"),
        ("keras_tensor_31CLONE", "InputLayer", "input_layer"),
        ("keras_tensor", "InputLayer", "input_layer"),
        ("keras_tensors", "InputLayer", None),
        ("keras_tensor", "Dense", None),
    ],
)
def test_a_name_is_automatic_or_chosen(name: str, class_name: str, stem: str | None) -> None:
    assert automatic_stem(name, class_name) == stem
    assert is_automatic(name, class_name) == (stem is not None)


@pytest.mark.parametrize(
    ("live", "canonical"),
    [
        pytest.param(
            [("dense_4", "Dense"), ("dense_5", "Dense")], ["dense", "dense_1"], id="numbered anew"
        ),
        pytest.param(
            [("dense_9", "Dense"), ("dense_2", "Dense")], ["dense", "dense_1"], id="in order"
        ),
        pytest.param(
            [("dense_1", "Dense"), ("head", "Dense"), ("dense", "Dense")],
            ["dense", "head", "dense_1"],
            id="chosen stays",
        ),
        pytest.param(
            [("dense", "Conv2D"), ("dense_7", "Dense"), ("dense_8", "Dense")],
            ["dense", "dense_1", "dense_2"],
            id="chosen is not taken",
        ),
        pytest.param(
            [("dense", "Dense"), ("dense_1", "Dense"), ("dense_1", "Dense_1")],
            ["dense", "dense_1", "dense_1_1"],
            id="two stems, one name",
        ),
        pytest.param(
            [("forward_lstm_2", "LSTM"), ("backward_lstm_2", "LSTM"), ("lstm_2", "LSTM")],
            ["forward_lstm", "backward_lstm", "lstm"],
            id="Bidirectional",
        ),
        pytest.param(
            [("keras_tensor_5", "InputLayer"), ("input_layer_3", "InputLayer")],
            ["input_layer", "input_layer_1"],
            id="inputs",
        ),
    ],
)
def test_canonical_names(live: list[tuple[str, str]], canonical: list[str]) -> None:
    assert canonical_names(live) == canonical


# Automatic names of every class; and what a person may choose, the automatic names of others
# among it.
automatic = st.builds(
    lambda class_name, number: (
        snake_case(class_name) + (f"_{number}" if number else ""),
        class_name,
    ),
    st.sampled_from(CLASSES),
    st.integers(0, 20),
)
chosen = st.tuples(
    texts() | st.sampled_from(["dense", "dense_1", "dense_1_1", "conv2d"]), st.sampled_from(CLASSES)
)
containers = st.lists(automatic | chosen, max_size=12, unique_by=lambda member: member[0])


def classes(named: list[tuple[str, str]]) -> list[str]:
    return [class_name for _, class_name in named]


@given(containers)
def test_canonical_names_are_different_and_leave_chosen_ones_alone(
    named: list[tuple[str, str]],
) -> None:
    canonical = canonical_names(named)
    assert len(set(canonical)) == len(named)
    for (name, class_name), found in zip(named, canonical, strict=True):
        assert is_automatic(found, class_name) == is_automatic(name, class_name)
        assert found == name or is_automatic(name, class_name)


@given(containers)
def test_canonical_names_of_canonical_names_are_the_same(named: list[tuple[str, str]]) -> None:
    canonical = canonical_names(named)
    assert canonical_names(list(zip(canonical, classes(named), strict=True))) == canonical


@given(containers, st.integers(1, 1000))
def test_canonical_names_do_not_know_what_was_built_before(
    named: list[tuple[str, str]], before: int
) -> None:
    def later(name: str, class_name: str) -> str:
        stem = automatic_stem(name, class_name)
        number = int(name[len(stem) + 1 :] or 0) if stem else 0
        return f"{stem}_{number + before}" if stem else name

    rebuilt = [(later(*member), member[1]) for member in named]
    assert canonical_names(rebuilt) == canonical_names(named)


# --- paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("conv2d_1", "conv2d_1"),
        ("a.b-c", "a.b-c"),
        ("", "%"),
        ("%", "%25"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        (".git", "%2Egit"),
        ("end.", "end%2E"),
        ("a/b", "a%2Fb"),
        ("a\\b", "a%5Cb"),
        ("C:", "C%3A"),
        ("Ünit 1", "%C3%9Cnit%201"),
        ("\ud800", "%ED%A0%80"),
        ("con", "%63on"),
        ("Aux.txt", "%41ux.txt"),
        ("con.\n", "%63on.%0A"),
        ("com1", "%63om1"),
        ("console", "console"),
        ("a" * 100, "a" * 100),
        ("a" * 101, "a" * 83 + "~9d0793397991b57a"),
    ],
)
def test_segment(name: str, path: str) -> None:
    assert segment(name) == path


def test_segments_differ_even_where_case_is_ignored() -> None:
    assert segments(["dense", "Dense", "DENSE", "dense"]) == [
        "dense",
        "Dense~2",
        "DENSE~3",
        "dense~4",
    ]


def test_a_number_does_not_make_a_segment_too_long() -> None:
    assert segments(["a" * 100, "A" * 100]) == ["a" * 100, "A" * 98 + "~2"]


WINDOWS_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(10)
}
names = (
    texts(8)
    | st.sampled_from(["", ".", "..", "con", "NUL.txt", "nul.\n", "COM1", "é" * 40, "~2", "a~2"])
    | st.text("aA.~", min_size=95, max_size=105)
)


@given(st.lists(names, max_size=8))
@example(["a" * 100, "A" * 100, "a" * 99 + "A"])
def test_segments_are_safe_on_every_file_system(names: list[str]) -> None:
    found = segments(names)
    assert len(found) == len(names)
    assert len({one.casefold() for one in found}) == len(names)
    for one in found:
        assert re.fullmatch(r"[A-Za-z0-9_.%~-]{1,100}", one)
        assert len(one) <= MAX_SEGMENT
        assert not one.startswith(".")
        assert not one.endswith(".")  # which Windows drops
        assert one.partition(".")[0].lower() not in WINDOWS_DEVICES
        assert unicodedata.normalize("NFD", one) == one  # which macOS would make of it
    assert segments(names) == found


@given(names, names)
def test_different_names_get_different_segments(one: str, other: str) -> None:
    assert (segment(one) == segment(other)) == (one == other)
