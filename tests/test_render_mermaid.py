"""A graph in Mermaid: read by the real one, whatever layers are called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import pytest
from diagrams import Mermaid, running, shown, with_mermaid
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Network
from strategies import AWKWARD
from test_diff_markdown import HOSTILE, edited
from test_diff_table import of_class, seven

from kvcs.comparison import Diff, diff
from kvcs.comparison.graph import step
from kvcs.render import words
from kvcs.render.markdown_graph import graph_of
from kvcs.render.mermaid import escaped, flowchart
from kvcs.render.neighbourhood import drawn

BREAKING_OUT = [
    '"]; click n0 "https://example.org"', '"]\nclick n0 call alert()', "%%{init: {'theme': 'x'}}%%",
    "%% comment", "--- title", "</script><script>x</script>", '<img src=x onerror="x">', "#quot;",
    "#35;", "&quot;", "&#34;", "`*emphasis*`", "**strong**", "_x_", "__x__", "1. one", "- one",
    "+ one", "fa:fa-car", "fab:fa-github", ":::removed", "n1:::removed", "n0@{ shape: cloud }",
    "direction TB", "x direction  LR y", "style: #1;", "classDef x:y#z;", "end", "subgraph x",
    "graph TD", "click", "href x", "call x()", "default", "linkStyle 0 stroke:#f00", "$$x$$",
    "ﬂ°°60¶ßbﬂ°°62¶ß", "ﬂ°lt¶ß", "~~~", "-->", "==>", "|x|", "n0 & n1", "<br>", "<br/>", r"\n",
    "@team", "#1", "!1", "https://example.org", "www.example.org", "x" * 5_000, "{{x}}", "[[x]]",
    "accTitle: x", "accDescr { x }", "    indented", "\N{RIGHT-TO-LEFT OVERRIDE}x", "漢字",
]  # fmt: skip
NAMES = st.sampled_from([*HOSTILE, *BREAKING_OUT]) | st.lists(
    st.characters() | st.sampled_from([*AWKWARD, *BREAKING_OUT, *'`|@#<>:;&"%_*~°¶ ']), max_size=12
).map("".join)


@pytest.fixture(scope="module")
def mermaid() -> Iterator[Mermaid]:
    with running() as found:
        yield found


def lines(found: Diff, *, most: int = 60, brief: bool = False) -> list[str]:
    graph = graph_of(found)
    assert graph is not None
    return flowchart(graph, drawn(graph, most), brief=brief)


def all_kinds() -> tuple[Network, Network]:
    """Return a network, and one in which a layer is changed in each way that is drawn."""
    old = Network()
    old.chain("InputLayer", *["Dense", "Dropout"] * 8, ("Dense", {"units": 5}))
    old.nudge(by=0.1)
    new = old.copy()
    dense, dropout = of_class(new, "Dense"), of_class(new, "Dropout")
    new.insert(dense[1], "Dense")
    new.delete(dropout[3])
    new.layers[dropout[5]].cls = "Activation"
    new.layers[dropout[5]].config = {"activation": "relu"}
    new.layers[dense[7]].config["activation"] = "gelu"
    return old, new


def test_a_graph() -> None:
    old = seven()
    new = old.copy()
    dense = of_class(new, "Dense")
    new.insert(dense[3], "Dense")
    new.layers[dense[5]].config["activation"] = "gelu"
    expected = """
    flowchart TD
    n0("… 7 layers")
    n1("dense_3")
    n2(["#43; dense_4<br>Dense 8 relu #43;72 params"])
    n3("dropout_3")
    n4("dense_5")
    n5("dropout_4")
    n6["#126; dense_6<br>activation#58; relu → gelu"]
    n7("dropout_5")
    n8("dense_7")
    n0 --> n1
    n1 ==>|"#43;"| n2
    n1 -.->|"#45;"| n3
    n2 ==>|"#43;"| n3
    n3 --> n4
    n4 --> n5
    n5 --> n6
    n6 --> n7
    n7 --> n8
    classDef added fill:#1a7f37,stroke:#2da44e,color:#ffffff,stroke-width:2px
    class n2 added
    classDef changed fill:#8a5a00,stroke:#d4a72c,color:#ffffff,stroke-width:2px
    class n6 changed
    classDef folded stroke-dasharray:4 3
    class n0 folded
    """
    assert lines(diff(old.stored(), new.stored())) == dedent(expected).strip().splitlines()


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("dense_1", "dense_1"), ("_x_", "#95;x#95;"), ("a b", "a b"),
        (" a  b ", "#32;a#32;#32;b#32;"),
        ("direction TB", "direction#32;TB"), ("#quot;", "#35;quot#59;"), ('"', "#34;"),
        ("`x`", "#96;x#96;"), ("a→b…", "a→b…"), ("°¶", "#176;#182;"), ("漢字", "漢字"),
        ("a\nb", "a#92;nb"), ("1. a, 0.5", "1#46; a, 0.5"), ("\u202e", "#92;u202e"),
    ],
)  # fmt: skip
def test_a_label(text: str, label: str) -> None:
    assert escaped(text) == label


class TestRead:
    """By the real Mermaid."""

    pytestmark = with_mermaid

    def test_every_kind(self, mermaid: Mermaid) -> None:
        found = mermaid.read(lines(diff(*(one.stored() for one in all_kinds()))))
        assert found["type"] == "flowchart-v2"
        classes = {name for node in found["nodes"] for name in node["classes"]}
        assert (
            classes
            == set(found["classes"])
            == {"added", "removed", "replaced", "changed", "folded"}
        )
        strokes = {(edge["stroke"], shown(edge["text"])) for edge in found["edges"]}
        assert strokes == {("normal", ""), ("thick", "+"), ("dotted", "-")}

    @settings(max_examples=60)
    @given(NAMES, NAMES)
    def test_names_are_names(self, mermaid: Mermaid, name: str, value: str) -> None:
        check_names(mermaid, name, value)

    @pytest.mark.parametrize("name", BREAKING_OUT)
    def test_no_name_breaks_out(self, mermaid: Mermaid, name: str) -> None:
        check_names(mermaid, name, name)


def check_names(mermaid: Mermaid, name: str, value: str) -> None:
    """Check that a graph is that of harmless names, with labels that are shown as they are."""
    diagram = of(name, value)
    hostile = mermaid.read(diagram)
    assert "error" not in hostile
    assert without_labels(hostile) == without_labels(mermaid.read(PLAIN))
    for node, line in zip(hostile["nodes"], diagram[1:], strict=False):
        label = line.split('"')[1].replace("<br>", "\n")
        label = re.sub("#([0-9]+);", lambda found: chr(int(found[1])), label)
        assert shown(node["text"]) == label
        assert node["link"] is None
        assert not node["callback"]
    path = words.cut(step(f"{name}!"), 40)
    assert any(path in shown(node["text"]) for node in hostile["nodes"])


def of(name: str, value: str) -> list[str]:
    old, new = edited(f"{name}!", f"{value}!")
    return lines(diff(old.stored(), new.stored()))


PLAIN = of("x", "y")


def without_labels(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "nodes": [{**node, "text": ""} for node in found["nodes"]]}
