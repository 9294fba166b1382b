"""The graph in a comment: it fits what GitHub and GitLab draw, and gives way to the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from networks import Network
from strategies import AWKWARD  # noqa: F401  (makes hypothesis repeatable)
from test_diff_markdown import structure
from test_diff_table import of_class, seven
from test_render_mermaid import NAMES

from kvcs.comparison import Diff, diff
from kvcs.render.flavour import LIMITS, Flavour, length
from kvcs.render.markdown import markdown, of_one

FLAVOURS: list[Flavour] = ["github", "gitlab"]


def efficient() -> Network:
    """Return a network as large as EfficientNetB7: 816 layers, in blocks with a way around."""
    found = Network()
    last = found.add("InputLayer")
    while len(found.layers) + 13 + 5 <= 816:
        start = last
        for _ in range(3):
            last = found.chain(("Conv", {"activation": "linear"}), "BatchNormalization",
                               "Activation", on=last)[-1]  # fmt: skip
        squeezed = found.chain("Conv", "Conv", on=last)[-1]
        last = found.add("Add", found.add("Dropout", squeezed), start)
    found.chain("Conv", "BatchNormalization", "Activation", "Dropout",
                *["Dense"] * (816 - len(found.layers) - 4), on=last)  # fmt: skip
    return found


def diagrams(text: str) -> list[str]:
    """Return the graphs in a document."""
    return [part.partition("\n```\n")[0] for part in text.split("```mermaid\n")[1:]]


def check_limits(text: str, flavour: Flavour) -> None:
    limits = LIMITS[flavour]
    assert length(text) <= limits.document
    for diagram in diagrams(text):
        assert length(diagram) <= limits.diagram
        lines = diagram.splitlines()
        assert sum("--" in line or "==" in line or "-." in line for line in lines) <= limits.edges
        assert sum(line[:1] == "n" and '"' in line.split()[0] for line in lines) <= limits.nodes


@pytest.fixture(scope="module")
def large() -> list[Diff]:
    """Small and large edits of a network of 816 layers."""
    old = efficient()
    assert len(old.layers) == 816
    stored = old.stored()
    few, many, long = old.copy(), old.copy(), old.copy()
    few.insert(of_class(few, "Conv")[100], "Dropout")
    for number in of_class(many, "Activation"):
        many.layers[number].config["activation"] = "gelu"
    for number in of_class(many, "Dropout")[::2]:
        many.delete(number)
    for number in of_class(long, "Conv"):
        long.layers[number].name = f"\N{DRAGON}{number}" * 500
    return [diff(stored, each.stored()) for each in (few, many, long)]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_816_layers_stay_within_every_limit(large: list[Diff], flavour: Flavour) -> None:
    models = [of_one(f"models/{number}", "v1", "v2", found) for number, found in enumerate(large)]
    for some in (*([model] for model in models), models, models * 10):
        check_limits(markdown(some, ["kvcs", "diff"], flavour=flavour), flavour)
    for model in models:
        (diagram,) = diagrams(markdown([model], flavour=flavour))
        assert len(diagram.splitlines()) > 10


def test_what_is_left_out_is_said(large: list[Diff]) -> None:
    text = markdown([of_one("a", "v1", "v2", large[1])], flavour="gitlab")
    assert "\n… " in text
    assert " more layers that changed, not drawn\n" in text


def inserted() -> Diff:
    old = seven()
    new = old.copy()
    new.insert(of_class(new, "Dense")[3], "Dense")
    return diff(old.stored(), new.stored())


def test_on_github_every_graph_is_drawn_at_once() -> None:
    text = markdown([of_one("a", "v1", "v2", inserted())] * 3)
    assert len(diagrams(text)) == 3
    assert "Graph" not in text


def test_on_gitlab_the_first_graphs_are_drawn_at_once_and_the_others_when_asked_for() -> None:
    """GitLab draws a graph in an open `<details>` never, and in a closed one when it opens."""
    text = markdown([of_one("a", "v1", "v2", inserted())] * 6, flavour="gitlab")
    assert len(diagrams(text)) == 6
    before = text.partition("<details><summary>Graph")[0]
    assert 0 < sum(map(len, diagrams(before))) <= 2_000
    assert "<details><summary>Graph of what changed</summary>\n\n```mermaid\n" in text
    assert "<details open><summary>Graph" not in text


def test_a_graph_gives_way() -> None:
    models = [of_one(f"a{index}", "v1", "v2", inserted()) for index in range(100)]
    text = markdown(models)
    assert diagrams(text) == []
    assert "\n**Left out**, for this text would be too long: " in text
    assert ", 100 layers of graph" in text


def test_where_there_is_nothing_to_draw() -> None:
    old = seven()
    tuned, other = old.copy(), Network()
    tuned.nudge()
    other.chain("InputLayer", *["Conv", "ReLU"] * 4)
    for new in (old, tuned, other):
        found = diff(old.stored(), new.stored())
        assert diagrams(markdown([of_one("a", "v1", "v2", found)])) == []


def test_the_length_of_a_document_is_counted_as_javascript_does() -> None:
    assert length("a…\N{DRAGON}") == 4


@settings(max_examples=60)
@given(NAMES, NAMES)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_names_do_nothing(flavour: Flavour, name: str, value: str) -> None:
    def text(name: str, value: str) -> str:
        old = seven()
        new = old.copy()
        dense = of_class(new, "Dense")
        new.insert(dense[3], "Dense", activation=value)
        new.layers[dense[4]].name = name
        return markdown([of_one(name, name, name, diff(old.stored(), new.stored()))],
                        ["kvcs", name], flavour=flavour)  # fmt: skip

    assert structure(text(f"{name}!", f"{value}!")) == structure(text("harmless!", "tanh!"))
