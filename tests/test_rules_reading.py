"""The text of a `.kvcs.toml`: what is read, and how each mistake is told."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvcs.errors import PolicyError
from kvcs.rules import Policy, Rule, read
from kvcs.rules.catalogue import KINDS


def refused(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        read(text.encode())
    return str(caught.value)


def rule(lines: str) -> str:
    return refused(f"[[rules]]\n{lines}")


def test_a_policy() -> None:
    text = """
        [[rules]]
        rule = "same-interface"

        [[rules]]
        rule = "parameters"
        level = "warning"
        models = ["models/prod/*"]
        growth = "10 %"
        max = 50_000_000

        [[rules]]
        rule = "frozen-layers"
        layers = ["encoder/*", "stem"]
    """
    assert read(text.encode(), "main:.kvcs.toml") == Policy(
        source="main:.kvcs.toml",
        rules=(
            Rule(name="same-interface"),
            Rule(
                name="parameters", level="warning", models=("models/prod/*",),
                options={"growth": 10.0, "max": 50_000_000},
            ),
            Rule(name="frozen-layers", layers=("encoder/*", "stem")),
        ),
    )  # fmt: skip


def test_no_rules() -> None:
    assert read(b"# none yet\n").rules == ()


@pytest.mark.parametrize(
    ("given", "bytes_"), [("1500", 1500), ('"2 kB"', 2000), ('"1.5GB"', 1_500_000_000)]
)
def test_sizes(given: str, bytes_: int) -> None:
    found = read(f'[[rules]]\nrule = "size"\nmodel = {given}'.encode())
    assert found.rules[0].options == {"model": bytes_}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("", 'rules[0]: rule is missing, as in rule = "same-interface"'),
        ("rule = 1", "rules[0].rule: expected a text, got 1"),
        (
            'rule = "parameter"',
            "rules[0]: unknown rule 'parameter': did you mean parameters? Known are "
            + ", ".join(KINDS),
        ),
        (
            'rule = "parameters"\ngrowht = 10',
            ("rules[0]: unknown key of parameters 'growht': did you mean growth? "
             "Known are rule, level, models, growth, max"),
        ),
        (
            'rule = "same-interface"\nlayers = ["a"]',
            "rules[0]: unknown key of same-interface 'layers': Known are rule, level, models",
        ),
        (
            'rule = "finite-weights"\nlevel = "fatal"',
            "rules[0]: unknown level 'fatal': Known are error, warning, note",
        ),
        ('rule = "parameters"', "rules[0]: parameters needs growth or max"),
        (
            'rule = "frozen-layers"',
            'rules[0]: frozen-layers needs layers, such as layers = ["encoder/*"]',
        ),
        (
            'rule = "finite-weights"\nlayers = "encoder"',
            "rules[0].layers: expected a list of texts, such as [\"encoder/*\"], got 'encoder'",
        ),
        (
            'rule = "finite-weights"\nmodels = []',
            'rules[0].models: expected a list of texts, such as ["encoder/*"], got []',
        ),
        (
            'rule = "parameters"\ngrowth = true',
            'rules[0].growth: expected a number of percent, such as 10 or "10 %", got True',
        ),
        (
            'rule = "parameters"\ngrowth = nan',
            'rules[0].growth: expected a number of percent, such as 10 or "10 %", got nan',
        ),
        (
            'rule = "parameters"\nmax = -1',
            "rules[0].max: expected a whole number that is not negative, got -1",
        ),
        (
            'rule = "kept-weights"\nmin = 101',
            'rules[0].min: expected a number of percent up to 100, such as 90 or "90 %", got 101',
        ),
        (
            'rule = "size"\nmodel = "9 MiB"',
            ('rules[0].model: expected a number of bytes, or a text such as "100 MB" '
             "(B, kB, MB, GB, TB), got '9 MiB'"),
        ),
    ],
)  # fmt: skip
def test_mistakes(lines: str, says: str) -> None:
    assert rule(lines) == f".kvcs.toml: {says}"


def test_mistakes_of_the_file() -> None:
    assert refused("rule = 1") == (
        ".kvcs.toml: unknown key 'rule': did you mean rules? Known are rules"
    )
    assert refused("rules = 1") == (
        ".kvcs.toml: rules must be a list of tables, each begun by [[rules]]"
    )
    assert refused("[[rules]").startswith(".kvcs.toml is no TOML: ")
    assert refused("a = " + "[" * 5000).startswith(".kvcs.toml is no TOML: ")
    assert refused("#" * (1 << 20) + "\n") == (
        ".kvcs.toml has 1,048,577 bytes, which is too long for rules"
    )
    with pytest.raises(PolicyError, match="is not UTF-8, and so no TOML: save it again as UTF-8"):
        read(b"\xff")


@given(
    st.dictionaries(
        st.sampled_from(
            ["rule", "level", "models", "layers", "growth", "max", "min", "model", "x"]
        ),
        st.sampled_from([*KINDS, "error", "*", "", "10 %", "9 MB"]).map(repr)
        | st.sampled_from(
            ["1", "-1", "1e400", "nan", "true", "[]", "['*']", "[1]", "{}", "1979-05-27"]
        ),
    )
)
def test_any_table_is_read_or_refused(table: dict[str, str]) -> None:
    text = "".join(f"{key} = {value}\n" for key, value in table.items())
    place = ".kvcs.toml: rules[0]"
    said = place
    try:
        assert read(f"[[rules]]\n{text}".encode()).rules[0].name in KINDS
    except PolicyError as error:
        said = str(error)
    assert said.startswith(place)


@given(st.binary(max_size=50))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(PolicyError):
        read(content)


def test_a_hostile_value_is_cut() -> None:
    assert len(rule(f'rule = "{"x" * 5000}"')) < 400


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ("rule = {}", "rules[0].rule: expected a text"),
        ('rule = "size"\nmodel = {}', "rules[0].model: expected a number of bytes"),
        ('rule = "parameters"\nmax = {}', "rules[0].max: expected a whole number"),
        ('rule = "parameters"\ngrowth = {}', "rules[0].growth: expected a number of percent"),
        ('rule = "parameters"\nmax = 1\nlayers = {}', "rules[0]: unknown key of parameters"),
    ],
)
def test_numbers_that_python_does_not_print(lines: str, place: str) -> None:
    assert place in rule(lines.format("0x" + "f" * 6000))


def test_a_size_beyond_all_numbers() -> None:
    text = "9" * 400
    assert "expected a number of bytes, or a text such as" in rule(
        f'rule = "size"\nmodel = "{text} MB"'
    )


def test_a_byte_order_mark_of_an_editor() -> None:
    assert read(b'\xef\xbb\xbf[[rules]]\nrule = "kept-models"').rules[0].name == "kept-models"
