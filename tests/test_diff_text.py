"""A diff as a person reads it: whole outputs."""

from __future__ import annotations

from textwrap import dedent

import pytest
from networks import Network
from strategies import AWKWARD
from test_diff_table import TestConnections, blocks, of_class, seven

from kvcs.comparison import diff, weighed_diff
from kvcs.render import words
from kvcs.render.brief import names, stat
from kvcs.render.changes import share
from kvcs.render.diff import text
from kvcs.render.layout import Look
from kvcs.render.marks import MARKS
from kvcs.render.words import LONGEST, setting, value
from kvcs.spec import MISSING


def shown(old: Network, new: Network, *, weighed: bool = False, plainly: bool = False) -> str:
    models = old.stored(), new.stored()
    found = weighed_diff(*models, old.contents(), new.contents()) if weighed else diff(*models)
    return text(found, "old", "new", ascii=plainly)


def expect(output: str, expected: str) -> None:
    assert output == dedent(expected).lstrip("\n")


def edited() -> tuple[Network, Network]:
    """Return a network, and the same with one edit of each of several kinds."""
    old = blocks()
    new = old.copy()
    added = new.insert(3, "Add")
    new.layers[added].inputs[0].append(2)
    new.layers[of_class(new, "ReLU")[2]].cls = "LeakyReLU"
    new.delete(of_class(new, "Conv")[1])
    new.training = {"loss": "mse"}
    new.layers[new.outputs[0]].name = "head"
    return old, new


def test_nothing() -> None:
    expect(
        shown(seven(), seven()),
        """
        old → new    SAME: nothing differs
        Diff: 0 added, 0 removed, 0 moved, 0 config, 0 edges, 0 weights. params 477
        """,
    )


def test_weights() -> None:
    old = seven()
    new = old.copy()
    new.nudge([2])
    new.layers[4].weights["bias"][0] = 0
    output = shown(old, new, weighed=True).splitlines()
    assert output[0] == "old → new    FINE-TUNE: architecture identical; weights of 2 layers"
    assert output[1] == "* weights"
    assert output[2].startswith("  *   dense    bias ±0.")
    assert output[3].startswith("  *   dense_1  bias ±")
    assert output[3].endswith(" [pruned]")
    assert "12% of values" in output[3]
    assert output[4] == "               (12 layers with nothing else to say)"


def test_an_architecture() -> None:
    expect(
        shown(*edited()),
        """
        old → new    INTERFACE: 1 output changed; ARCHITECTURE: 1 layer inserted, \
1 layer removed, 1 layer replaced, 1 layer renamed, 1 connection added; 18 of 20 old tensors kept
        ! interface  + added  - removed  ≠ replaced  ✎ renamed  → connection added  τ training
          !   outputs.0    (none) → head   # follows from renamed head
                           (3 layers with nothing else to say)
          +   add          Add
                           (1 layer with nothing else to say)
          -   conv_1       Conv 8 [3]   -200 params
                           (4 layers with nothing else to say)
          ≠   leaky_re_lu  ReLU → LeakyReLU
          ✎   head         was dense
          →   conv         → add
          τ   compile      (none) → {"loss": "mse"}
                           ∙ 2 layers renumbered (automatic names, no other change)
        Diff: 1 added, 1 removed, 0 moved, 0 config, 1 edges, 0 weights, 1 replaced, \
1 renamed, 1 training, 1 interface. params 741 → 541 (-200)
        """,
    )


def test_in_ascii() -> None:
    output = shown(*edited(), plainly=True)
    assert output.isascii()
    assert "old -> new    INTERFACE: 1 output changed; ARCHITECTURE" in output
    assert "\n  !   leaky_re_lu  ReLU -> LeakyReLU\n" in output


def test_groups() -> None:
    old = seven()
    new = old.copy()
    for number in of_class(new, "Dense")[:6]:
        new.layers[number].config["activation"] = "gelu"
        new.layers[number].trainable = False
    expect(
        shown(old, new),
        """
        old → new    SETTINGS: 6 settings changed, trainable of 6 layers; \
same layers, same connections
        ~ setting  ❄ trainable
          ~   6 layers  activation: relu → gelu   # dense to dense_5
          ❄   6 layers  frozen   # dense to dense_5
        Diff: 0 added, 0 removed, 0 moved, 6 config, 0 edges, 0 weights, 6 trainable. params 477
        """,
    )


def test_a_consequence() -> None:
    old = seven()
    new = old.copy()
    new.layers[of_class(new, "Dense")[2]].config["units"] = 64
    new.reshape()
    assert (
        "  ▭   dense_3  kernel (8, 8) → kernel (64, 8)   # follows from config dense_2 units\n"
    ) in shown(old, new)


def test_connections() -> None:
    old, other, tower, joined = TestConnections().shared()
    new = old.copy()
    del new.layers[tower].inputs[1]
    number = new.add("Dense", other)
    new.outputs = list(old.outputs)
    new.layers[joined].inputs = [[tower, number]]
    expect(
        shown(old, new),
        """
        old → new    ARCHITECTURE: 1 layer inserted, 1 connection added, 1 connection removed; \
4 of 4 old tensors kept
        + added  → connection added  ↛ connection removed
                             (3 layers with nothing else to say)
          +   dense_1        Dense 8 relu   +72 params
                             (2 layers with nothing else to say)
          →   input_layer_1  → concatenate   # through dense_1
          ↛   input_layer_1  → dense
                             ∙ 1 layer renumbered (automatic names, no other change)
        Diff: 1 added, 0 removed, 0 moved, 0 config, 2 edges, 0 weights. params 123 → 195 (+72)
        """,
    )


def test_unrelated() -> None:
    other = Network()
    other.chain("InputLayer", *["Conv", "LayerNormalization", "LeakyReLU"] * 5)
    expect(
        shown(seven(), other),
        """
        old → new    UNRELATED: 1 layer of 14 and 16 could be paired; 1 output changed
        ! interface
          !   outputs.0        (None, 5) float32 → (None, 8) float32   # follows from added \
leaky_re_lu_4
              old: functional  Functional, 14 layers, 477 params
              new: functional  Functional, 16 layers, 1,080 params
        Diff: 15 added, 13 removed, 0 moved, 0 config, 0 edges, 0 weights, \
1 interface. params 477 → 1,080 (+603)
        """,
    )


def test_briefly() -> None:
    found = diff(*(one.stored() for one in edited()))
    assert [line.plain for line in names(found, "", Look())] == [
        "add", "conv_1", "head", "leaky_re_lu",
    ]  # fmt: skip
    assert [line.plain for line in stat(found, "", Look())][:5] == [
        " add         | +   added",
        " conv_1      | -   removed",
        " head        | ✎   renamed",
        " leaky_re_lu | ≠   replaced",
        " outputs.0   | !   interface",
    ]


@pytest.mark.parametrize("plainly", [False, True])
def test_names_cannot_forge_a_line(plainly: bool) -> None:
    hostile = [*AWKWARD, "\nDiff: 0 added", "a\r\x1b[31m", "|x|`y`[z]", "n" * 10_000]
    for name in hostile:
        old = seven()
        new = old.copy()
        new.layers[4].name = f"{name}!"
        new.layers[4].config["activation"] = name
        output = shown(old, new, plainly=plainly)
        assert len(output.splitlines()) == 6
        assert all(line.isprintable() for line in output.splitlines())
        assert output.isascii() or not plainly


def test_every_mark_is_its_own() -> None:
    words = {mark.word for mark in MARKS.values()}
    for symbols in ({m.symbol for m in MARKS.values()}, {m.ascii for m in MARKS.values()}):
        assert len(symbols) == len(words)
    assert all(mark.ascii.isascii() for mark in MARKS.values())


class TestWords:
    @pytest.mark.parametrize(
        ("what", "words"),
        [
            (MISSING, "(none)"),
            (None, "null"),
            (True, "true"),
            (1.0, "1.0"),
            ("relu", "relu"),
            ("", "''"),
            ([1, 2], "[1, 2]"),
            ({"$float": "nan"}, "nan"),
            ({"class_name": "DTypePolicy", "config": {"name": "float16"}}, "float16"),
            ({"class_name": "L2", "config": {"l2": 0.1}}, "L2(l2=0.1)"),
            ({"class_name": "Zeros", "config": {}}, "Zeros"),
            ("x" * 100, f"{'x' * LONGEST}… (100 characters)"),
        ],
    )
    def test_a_value(self, what: object, words: str) -> None:
        assert value(what) == words

    @pytest.mark.parametrize(
        ("at", "words"),
        [
            ("units", "units"),
            ("kernel_initializer/config/seed", "kernel_initializer.seed"),
            (":keras_version", "keras_version"),
            ("a~1b/0", "a/b.0"),
        ],
    )
    def test_a_setting(self, at: str, words: str) -> None:
        assert setting(at) == words


def test_a_layer_and_a_number_of_things_in_words() -> None:
    cls = {"module": "keras.layers", "name": "Concatenate", "registered_name": None}
    assert words.layer({"class": cls, "config": {"axis": -1}}) == "Concatenate axis -1"
    counted = [words.count(2, noun) for noun in ("layer", "entry", "model inside")]
    assert counted == ["2 layers", "2 entries", "2 models inside"]


def test_a_share_is_none_or_all_only_where_it_is() -> None:
    shares = (0, 0.0004, 0.5, 0.9996, 1)
    assert [words.percent(share) for share in shares] == [
        "0%",
        "< 0.1%",
        "50.0%",
        "> 99.9%",
        "100%",
    ]


def test_how_many_values_changed() -> None:
    told = [share({"share": part}) for part in (1, 0.994, 0.01, 0.002, 0.0001)]
    assert told == ["", *(f", {each} of values" for each in ("99%", "1%", "0.2%", "< 0.1%"))]


def test_of_a_full_hash_the_beginning() -> None:
    for digits in (40, 64):
        assert words.operand(f"{'0123456789abcdef' * 4:.{digits}}:net") == "0123456789ab:net"
    assert words.operand(f"{'a' * 41}:net") == f"{'a' * 41}:net"
    assert words.operand("v1:net") == "v1:net"
