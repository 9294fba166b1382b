"""Findings as SARIF, annotations of GitHub and Markdown, with names that attack them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from strategies import AWKWARD
from test_diff_markdown import HOSTILE, edited, shown, structure

from kvcs import __version__
from kvcs.commands.ci.outputs import assignment
from kvcs.comparison import Change
from kvcs.errors import ForgeError
from kvcs.forge.body import refuse_active
from kvcs.forge.sticky import MARKER
from kvcs.render import check, check_github, check_markdown, check_sarif
from kvcs.render.layout import Look
from kvcs.render.markdown import markdown, of_one
from kvcs.rules import Finding, Level, Policy, Report, Rule, values
from kvcs.rules.catalogue import KINDS

jsonschema = pytest.importorskip("jsonschema")

BUILT_IN = ("INCOMPLETE", "REMOVED", "RULES_CHANGED", "UNMATCHED", "UNMATCHED_MODELS")
ATTACKS = [
    *HOSTILE, "</script>", '"]; click n1 "https://example.org"', "@team", "#1", "|", "`", "\n",
    "::set-output name=x::y", "%0A::error::x", "\r\n::error::x", "##[error]x", "x" * 5000, ",", ":",
    "[text](https://example.org)", "{0}", "\ud800", *AWKWARD,
]  # fmt: skip

# What the specification of SARIF 2.1.0 asks of what is used here, and nothing else is.
MESSAGE = {
    "type": "object", "required": ["text"], "additionalProperties": False,
    "properties": {"text": {"type": "string", "minLength": 1}},
}  # fmt: skip
LOCATION = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "physicalLocation": {
            "type": "object",
            "additionalProperties": False,
            "required": ["artifactLocation"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "uri": {"type": "string", "format": "uri-reference"},
                        "uriBaseId": {"type": "string"},
                    },
                },
                "region": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"startLine": {"type": "integer", "minimum": 1}},
                },
            },
        },
        "logicalLocations": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "fullyQualifiedName": {"type": "string"}, "kind": {"type": "string"},
                },
            },
        },
    },
}  # fmt: skip
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "additionalProperties": False,
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": MESSAGE,
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "properties": {"type": "object"},
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": -1},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": MESSAGE,
                                "locations": {"type": "array", "items": LOCATION},
                                "partialFingerprints": {
                                    "type": "object",
                                    "additionalProperties": {"type": "string"},
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}

valid = jsonschema.Draft202012Validator(SARIF)


def finding(name: str = "dense", level: Level = "error", **fields: Any) -> Finding:
    change = Change(kind="config", old_path=name, new_path=name, at=name or "rate", old=name, new=1)
    given = {
        "rule": "same-config", "level": level, "model": f"models/{name}", "text": "setting changed",
        "layer": name, "detail": name, "change": change, "file": f"models/{name}/layer.json",
    }  # fmt: skip
    return Finding(**{**given, **fields})


def report(*findings: Finding, source: str = "main:.kvcs.toml") -> Report:
    policy = Policy(rules=(Rule(name="same-config"),), source=source)
    return Report(findings=findings, models=2, changed=("models/a",), policy=policy)


class TestSarif:
    def test_a_log(self) -> None:
        removed = Finding(rule="kept-models", level="note", model="models/b", text="model removed")
        found = check_sarif.document(report(finding(), removed), __version__)
        (run,) = found["runs"]
        assert run["tool"]["driver"]["rules"][1] == {
            "id": "same-config",
            "shortDescription": {"text": "Settings of layers stay as they are."},
        }
        assert run["results"][0] == {
            "ruleId": "same-config",
            "ruleIndex": 1,
            "level": "error",
            "message": {
                "text": "models/dense: dense: dense: dense → 1: dense"
            },
            "partialFingerprints": {
                "kvcsFinding/v1": run["results"][0]["partialFingerprints"]["kvcsFinding/v1"]
            },
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {
                            "uri": "models/dense/layer.json", "uriBaseId": "%SRCROOT%",
                        },
                        "region": {"startLine": 1},
                    },
                    "logicalLocations": [{"fullyQualifiedName": "dense", "kind": "element"}],
                }
            ],
        }  # fmt: skip
        assert "locations" not in run["results"][1]
        valid.validate(found)

    def test_every_rule_is_described(self) -> None:
        names = [*KINDS, *(value for key, value in vars(values).items() if key in BUILT_IN)]
        assert len(names) == len(KINDS) + len(BUILT_IN)
        found = [finding(rule=name) for name in names]
        valid.validate(check_sarif.document(report(*found), __version__))

    def test_nothing_found(self) -> None:
        valid.validate(check_sarif.document(report(), __version__))

    def test_fingerprints_tell_findings_apart(self) -> None:
        log = check_sarif.document(report(finding("a"), finding("b"), finding("a")), __version__)
        prints = [one["partialFingerprints"]["kvcsFinding/v1"] for one in log["runs"][0]["results"]]
        assert prints[0] == prints[2] != prints[1]

    def test_names_are_harmless(self) -> None:
        for name in ATTACKS:
            found = check_sarif.document(report(finding(name)), __version__)
            valid.validate(found)
            (result,) = found["runs"][0]["results"]
            text = result["message"]["text"]
            assert text.isprintable()
            assert len(text) < 2000
            assert not re.search(r"(?<!\\)(\\\\)*[\[\]]", text)
            assert not re.search(r"(?<!\{)\{(\{\{)*(?!\{)", text)
            uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            assert re.fullmatch(r"[A-Za-z0-9/._~%-]+", uri)


class TestGitHub:
    def test_lines(self) -> None:
        assert check_github.lines(report(finding(), finding("a", "note", file="", model=""))) == [
            (
                "::error file=models/dense/layer.json,title=kvcs%3A same-config in models/dense::"
                "dense: dense: dense → 1: dense"
            ),
            "::notice title=kvcs%3A same-config::a: a: a → 1: a",
        ]

    def test_no_more_than_are_shown(self) -> None:
        lines = check_github.lines(report(*[finding()] * 30, finding(level="warning")))
        assert len(lines) == 11
        assert lines[9].startswith("::error title=kvcs::21 errors more; BLOCKED: ")
        assert lines[10].startswith("::warning ")

    def test_names_give_no_command(self) -> None:
        for name in ATTACKS:
            (line,) = check_github.lines(report(finding(name)))
            assert len(line.splitlines()) == 1 or "\n" not in line
            assert "\r" not in line
            head, properties, data = re.fullmatch(r"::(\w+) (.*?)::(.*)", line).groups()  # type: ignore[union-attr]
            assert head == "error"
            assert [one.partition("=")[0] for one in properties.split(",")] == ["file", "title"]
            assert not re.search(r"%(?!25|0D|0A)", data)


class TestText:
    def test_no_name_looks_like_a_line(self) -> None:
        for name in ATTACKS:
            first, *lines = check.laid_out(report(finding(name)), Look(width=80))
            assert first.plain.startswith("BLOCKED: ")
            assert lines[0].plain.startswith("  error    ")
            assert lines[-1].plain.startswith("Rules: ")
            for line in lines[1:-1]:
                assert line.plain.startswith("      ┆ ")
            assert all(line.plain.isprintable() for line in [first, *lines])

    def test_many(self) -> None:
        found = report(*[finding()] * 12, finding(level="note"))
        lines = [line.plain for line in check.laid_out(found, Look())]
        assert len(lines) == 14
        assert lines[11] == "  error    models/dense  same-config  … 2 more"
        assert len(check.laid_out(found, Look(everything=True))) == 15


class TestMarkdown:
    def test_head(self) -> None:
        assert check_markdown.head(report(finding())) == (
            "## ⛔ Models: BLOCKED\n\n1 error; 1 of 2 models changed\n\n"
            "|  | model | rule |  |\n| --- | --- | --- | --- |\n"
            "| ⛔ error | `models/dense` | `same-config` | "
            "`dense: dense: dense → 1: dense` |\n\n"
            "Rules: 1 of `main:.kvcs.toml`\n\n"
        )

    def test_many(self) -> None:
        alike = [finding("x" * 5000)] * 100
        assert "`same-config` | … 95 more |\n" in check_markdown.head(report(*alike))
        text = check_markdown.head(report(*[finding("x" * 5000, rule=f"{n}") for n in range(90)]))
        assert "\n… 60 findings more\n" in text
        assert len(text) < 45_000

    def test_names_are_harmless(self) -> None:
        for name in ATTACKS:
            found = report(finding(name), source=f"{name}:x")
            text = check_markdown.head(found)
            assert structure(text) == structure(check_markdown.head(report(finding("x"))))
            refuse_active(f"{MARKER}\n{text}", "it")
            refuse_active(f"{MARKER}\n{check_markdown.failure(name)}", "it")


def test_json_is_ascii() -> None:
    for name in ATTACKS:
        text = json.dumps(report(finding(name)).to_dict())
        assert text.isascii()
        assert "\n" not in text


def test_an_output_cannot_be_left() -> None:
    for value in [*ATTACKS, "kvcs", "kvcs\nx=1\nkvcs_"]:
        first, *rest = assignment("name", value).split("\n")
        delimiter = first.removeprefix("name<<")
        assert rest[-2:] == [delimiter, ""]
        assert "\n".join(rest[:-2]) == value
        assert delimiter not in value


class TestWhatOthersWrote:
    @pytest.mark.parametrize(
        "text",
        [
            "@team", "see #1", "a@example.org", "https://example.org", "www.example.org",
            "[a](b)", "![a](b)", "<img src=x>", "<!-- x -->", "<b>x</b>", "<code>`</code>@a",
            "<details><summary>@team</summary>\n\nx\n\n</details>", "<details>\n\n</details>",
            "see abcdef1", "8015ea257a2c0fc2115c364ec7dd86d5fdd61c26", "!12", "%1", "&1",
            "```html\nx\n```", "```mermaid\nclick n0 href\n```",
            "```mermaid\nn0 --> n1\n  href x\n```",
            "```mermaid\n%%{init: {}}%%\n```", "```mermaid\n---\nconfig: {}\n---\n```",
            '```mermaid\nflowchart LR; click n0 "//example.org"\n```',
            '```mermaid\nn0@{ img: "//example.org/x.png" }\n```',
            '```mermaid\nn0["<img src=//example.org>"]\n```',
            '```mermaid\nn0["a\n"]; click n0 "b"\n```', "&#64;team",
            "\\@team", "GH-1", "> quoted", "1. one",
            "    code", "/close", "x\n/merge", "$x$", "a\u202eb", "`` ` @team", "<code>x",
            "x</code>", "~~x~~", "| a |\n| --- |\n| @team |", "# a @team",
        ],
    )  # fmt: skip
    def test_is_refused(self, text: str) -> None:
        with pytest.raises(ForgeError, match="the comment in it "):
            refuse_active(f"{MARKER}\n{text}\n", "it")

    @pytest.mark.parametrize(
        "text",
        ["`@team #1 <b>`", "<code>&#64;team&#124;</code>", "```diff\n@team\n<img>\n```", "**x**: y",
         "- `a`: b", "90 % of 1,234,567", "```mermaid\nflowchart TD\nn0 --> n1\n```",
         '```mermaid\nn0(["#43; a<br>b, 0.2 → 0.5"])\nn0 -.->|"#45;"| n1\n```',
         "```mermaid\nclassDef added fill:#1a7f37,stroke-dasharray:4 3\nclass n0,n1 added\n```",
         "<details open><summary>Settings (1)</summary>\n\n| a |\n| --- |\n\n</details>"],
    )  # fmt: skip
    def test_what_kvcs_writes_is_taken(self, text: str) -> None:
        refuse_active(f"{MARKER}\n{text}\n", "it")

    def test_a_whole_comparison_is_taken(self) -> None:
        for name in [*ATTACKS, "harmless"]:
            refuse_active(f"{MARKER}\n{shown(*edited(f'{name}!', name or 'gelu'))}", "it")
            models = [of_one(name, name, None, None), of_one(name, name, name, None, name)]
            refuse_active(f"{MARKER}\n{markdown(models, ['kvcs', 'diff', name])}", "it")

    def test_without_its_marker(self) -> None:
        with pytest.raises(ForgeError, match="does not begin with <!-- kvcs:review -->"):
            refuse_active(f" {MARKER}\n", "it")

    def test_too_long(self) -> None:
        with pytest.raises(ForgeError, match="more than 65,536 characters"):
            refuse_active(f"{MARKER}\n" + "x" * 65_536, "it")
