"""A diff as Markdown: what a pull request shows, read again by a parser."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from networks import Network
from strategies import AWKWARD
from test_diff_table import of_class, seven

from kvcs.comparison import Diff, diff, weighed_diff
from kvcs.render.flavour import LIMITS
from kvcs.render.markdown import STEPS, markdown, of_one
from kvcs.render.markdown_text import block, code

LIMIT = LIMITS["github"].document
HOSTILE = [
    *AWKWARD, "@team", "#1", "[a](http://b)", "<script>x</script>", "|x|", "`y`", "``` z", "\\|",
    "\n### forged", "a\r\x1b[31m", "https://example.org", "www.example.org", "a@example.org",
    "![x](y)", "<!-- ", "</details>", "**b**", "$x$", "&amp;", "n" * 10_000, "|\n| --- |", " ", "",
]  # fmt: skip


def shown(old: Network, new: Network) -> str:
    found = weighed_diff(old.stored(), new.stored(), old.contents(), new.contents())
    return markdown([of_one("models/a", "v1:models/a", "models/a", found)])


def tokens(text: str) -> Iterator[Token]:
    """Yield what stands in a text for GitHub, inline parts included."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for token in parser.parse(text):
        yield token
        yield from token.children or []


def structure(text: str) -> list[str]:
    """Return what a text is made of, without what is code in a line.

    Words that are no code stay: what others wrote is among them nowhere.
    """
    found = []
    inside = False
    for token in tokens(text):
        if token.type == "html_inline":
            assert token.content == ("</code>" if inside else "<code>")
            inside = not inside
        elif token.type == "html_block":
            found.append(token.content)
        elif not inside and token.type != "code_inline" and (token.type != "text" or token.content):
            words = token.content if token.type == "text" else ""
            found.append(f"{token.type} {token.tag} {token.info} {words}".rstrip())
    return found


def edited(name: str = "chosen", value: str = "gelu") -> tuple[Network, Network]:
    old = seven()
    new = old.copy()
    dense = of_class(new, "Dense")
    new.insert(dense[3], "Dense", units=8)
    new.layers[dense[4]].name = name
    new.layers[dense[1]].config["activation"] = value
    new.nudge([dense[0]])
    new.training = {"loss": "mse"}
    return old, new


def test_a_comment() -> None:
    old = seven()
    new = old.copy()
    dense = of_class(new, "Dense")
    new.insert(dense[3], "Dense")
    new.layers[dense[1]].config["activation"] = "gelu"
    new.training = {"loss": "mse"}
    found = diff(old.stored(), new.stored())
    text = markdown(
        [of_one("models/a", "v1:models/a", "models/a", found)], ["kvcs", "diff", "v1", "it's"],
        unchanged=2,
    )  # fmt: skip
    assert text == dedent(
        """
        ### `models/a`: **ARCHITECTURE**: 1 layer inserted; 14 of 14 old tensors kept

        |  | base `v1:models/a` | head `models/a` | Δ |
        | --- | --- | --- | ---: |
        | layers | 14 | 15 | +1 |
        | parameters | 477 | 549 | +72 |
        | old weights kept | 14 | 14 of 14 | = |
        | input → output | `(None, 8) float32` → `(None, 5) float32` | `(None, 8) float32` → \
`(None, 5) float32` | = |
        | training | – | `mse` | changed |

        ```mermaid
        flowchart TD
        n0("… 2 layers")
        n1("dropout")
        n2["#126; dense_1<br>activation#58; relu → gelu"]
        n3("dropout_1")
        n4("… 2 layers")
        n5("dense_3")
        n6(["#43; dense_4<br>Dense 8 relu #43;72 params"])
        n7("dropout_3")
        n8("… 5 layers")
        n0 --> n1
        n1 --> n2
        n2 --> n3
        n3 --> n4
        n4 --> n5
        n5 ==>|"#43;"| n6
        n5 -.->|"#45;"| n7
        n6 ==>|"#43;"| n7
        n7 --> n8
        classDef added fill:#1a7f37,stroke:#2da44e,color:#ffffff,stroke-width:2px
        class n6 added
        classDef changed fill:#8a5a00,stroke:#d4a72c,color:#ffffff,stroke-width:2px
        class n2 changed
        classDef folded stroke-dasharray:4 3
        class n0,n4,n8 folded
        ```

        `+` added, `~` setting, thick arrow: connection added, dotted arrow: connection removed

        <details open><summary>Layers and connections (1)</summary>

        ```diff
        + dense_4  Dense 8 relu   +72 params
        ```

        </details>

        <details open><summary>Settings (1)</summary>

        | layers | setting | base | head |
        | --- | --- | --- | --- |
        | `dense_1` | `activation` | `relu` | `gelu` |

        </details>

        <details open><summary>Training (1)</summary>

        |  | base | head |
        | --- | --- | --- |
        | `compile` | `(none)` | `{"loss": "mse"}` |

        </details>

        <details><summary>Notes (1)</summary>

        - 3 layers renumbered (automatic names, no other change)

        </details>

        Nothing changed in 2 other models.

        ```sh
        kvcs diff v1 'it'"'"'s'
        ```
        """
    ).lstrip("\n")


def test_an_alarm_comes_first() -> None:
    old = seven()
    new = old.copy()
    new.layers[new.outputs[0]].config["units"] = 7
    new.reshape()
    text = shown(old, new)
    assert text.startswith("### `models/a`: **INTERFACE**: 1 output changed; SETTINGS: ")
    assert text.index("⚠️ Interface (1)") < text.index("Settings (1)")
    assert "- `outputs.0`: `(None, 5) float32 → (None, 7) float32`, `follows from config " in text


@pytest.mark.parametrize(
    ("versions", "error", "text"),
    [
        ((None, "b"), "", "### `a`: ADDED, only in `b`\n"),
        (("b", None), "", "### `a`: REMOVED, only in `b`\n"),
        (("b", "c"), "c is `x`", "### `a`: ⚠️ could not be compared\n\n``c is `x` ``\n"),
    ],
)
def test_what_was_not_compared(
    versions: tuple[str | None, str | None], error: str, text: str
) -> None:
    found = markdown([of_one("a", *versions, None, error)])
    assert found == text.replace("``c is `x` ``", "`` c is `x` ``")


def test_nothing_changed() -> None:
    assert markdown([], unchanged=3) == "No model changed.\n"


class TestHarmless:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_structure_is_that_of_harmless_names(self, name: str) -> None:
        plain, hostile = edited(), edited(f"{name}!", name or "gelu")
        text = shown(*hostile)
        assert structure(text) == structure(shown(*plain))
        assert all(char == "\n" or char.isprintable() for char in text)

    @pytest.mark.parametrize("name", HOSTILE)
    def test_names_of_models(self, name: str) -> None:
        found = diff(*(one.stored() for one in edited()))
        texts = [
            markdown([of_one(one, f"v1:{one}", one, found), of_one(one, one, None, None),
                      of_one(one, one, one, None, f"bad: {one}")], ["kvcs", "diff", f"{one}!"])
            for one in ("a", name)
        ]  # fmt: skip
        assert structure(texts[0]) == structure(texts[1])

    @pytest.mark.parametrize("name", HOSTILE)
    def test_code(self, name: str) -> None:
        assert structure(code(f"x{name}")) == structure("`x`")

    def test_a_block_is_not_left(self) -> None:
        assert block(["a", "```", "````x"], "diff") == ["`````diff", "a", "```", "````x", "`````"]


class TestLength:
    def large(self, layers: int) -> Diff:
        old = Network()
        old.chain("InputLayer", *["Dense"] * layers)
        new = old.copy()
        new.nudge()
        for number, layer in new.layers.items():
            layer.name = f"layer_{'x' * 100}_{number}"
        return weighed_diff(old.stored(), new.stored(), old.contents(), new.contents())

    def test_at_most(self) -> None:
        found = self.large(300)
        text = markdown([of_one("a", "b", "c", found)], ["kvcs", "diff"])
        assert len(text) <= LIMIT
        assert "\n**Left out**, for this text would be too long: " in text
        assert "… 550 more" in text
        assert text.endswith("```sh\nkvcs diff\n```\n")
        assert structure(text)[0] == "heading_open h3"

    def test_many_models(self) -> None:
        models = [of_one(f"models/{index}", "b", "c", self.large(2)) for index in range(400)]
        text = markdown(models)
        assert len(text) <= LIMIT
        assert "all but the headline of " in text
        more = markdown(models * 10)
        assert len(more) <= LIMIT
        assert " 3,500 models." in more

    def test_no_model_is_too_many(self) -> None:
        text = markdown([of_one("m" * 300, "b", "c", self.large(40))], limit=2000)
        assert len(text) <= 2000

    def test_in_the_documented_order(self) -> None:
        assert [name for name, _ in STEPS][:4] == ["notes", "state", "graph", "weights"]
