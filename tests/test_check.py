"""`kvcs check` and `kvcs.check`: which rules hold, what is printed, and when it exits with what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli import Done, kvcs, refused
from gitrepo import commit_all, git
from histories import network, short, store
from networks import Network
from test_diff_sides import pointer_to

import kvcs as package
from kvcs.rules import schema

jsonschema = pytest.importorskip("jsonschema")

STRICT = """
[[rules]]
rule = "same-weights"
"""
LAX = """
[[rules]]
rule = "same-weights"
level = "note"
"""
BLOCKED = "BLOCKED: 1 error; 1 of 1 model changed"


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Network:
    """A model and rules, committed; the tests run in that repository."""
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    found, _ = network()
    store(found)
    rules(STRICT)
    commit_all(tmp_path, "First")
    return found


def rules(text: str) -> None:
    Path(".kvcs.toml").write_text(text)


def trained(found: Network, number: int = 2) -> None:
    new = found.copy()
    new.nudge([number])
    store(new)


def check(*arguments: str) -> Done:
    done = kvcs("check", *arguments)
    assert done.err == ""
    return done


def document(*arguments: str) -> Any:
    found = json.loads(check(*arguments, "--format", "json").out)
    jsonschema.validate(found, schema())
    return found


def test_nothing_changed() -> None:
    done = check()
    assert done.code == 0
    assert done.lines == [
        "CLEAR: no rule is broken; 0 of 1 model changed", "Rules: 1, of HEAD:.kvcs.toml",
    ]  # fmt: skip


def test_a_broken_rule(repository: Network) -> None:
    trained(repository)
    done = check()
    assert done.code == 1
    assert done.lines == [
        BLOCKED,
        "  error    models/net  same-weights  dense: weights changed",
        "Rules: 1, of HEAD:.kvcs.toml",
    ]


def test_as_json(repository: Network) -> None:
    trained(repository)
    assert document() == {
        "format": "kvcs.check/1",
        "status": "blocked",
        "rules": {
            "source": "HEAD:.kvcs.toml",
            "rules": [{"rule": "same-weights", "level": "error", "models": ["*"]}],
        },
        "models": 1,
        "changed": ["models/net"],
        "summary": {"error": 1, "warning": 0, "note": 0},
        "findings": [
            {
                "rule": "same-weights",
                "level": "error",
                "model": "models/net",
                "text": "weights changed",
                "layer": "dense",
                "change": "weights dense",
                "file": "models/net/layers/dense/layer.json",
            }
        ],
    }


@pytest.mark.parametrize(
    ("level", "fail_on", "code"),
    [
        ("error", "blocked", 1), ("error", "review", 1), ("error", "never", 0),
        ("warning", "blocked", 0), ("warning", "review", 1), ("note", "review", 0),
    ],
)  # fmt: skip
def test_exit_codes(repository: Network, level: str, fail_on: str, code: int) -> None:
    rules(f'[[rules]]\nrule = "same-weights"\nlevel = "{level}"\n')
    commit_all(Path())
    trained(repository)
    assert check("--fail-on", fail_on).code == code


def test_without_rules(repository: Network) -> None:
    Path(".kvcs.toml").unlink()
    commit_all(Path())
    trained(repository)
    assert check().lines == [
        "CLEAR: no rule is broken; 1 of 1 model changed",
        "Rules: none, for there is no .kvcs.toml on the old side",
    ]


class TestWhichRulesHold:
    def test_a_change_cannot_relax_its_own(self, repository: Network) -> None:
        rules(LAX)
        trained(repository)
        found = document()
        assert found["status"] == "blocked"
        assert [one["rule"] for one in found["findings"]] == ["same-weights", "rules-changed"]
        assert found["findings"][1] == {
            "rule": "rules-changed", "level": "warning", "file": ".kvcs.toml",
            "text": "the rules are changed; here, the old ones hold",
        }  # fmt: skip

    def test_nor_remove_them(self) -> None:
        Path(".kvcs.toml").unlink()
        assert [one["text"] for one in document()["findings"]] == ["the rules are removed"]

    def test_nor_break_them(self) -> None:
        rules("[[rules]]\nrule = 'size'\n")
        found = document()
        assert found["status"] == "blocked"
        assert found["findings"][0]["text"] == "the rules are changed, and cannot be read"
        assert found["findings"][0]["detail"] == ".kvcs.toml: rules[0]: size needs tensor or model"

    def test_an_old_branch_does_not_bring_old_rules_along(self, repository: Network) -> None:
        rules(LAX)
        commit_all(Path(), "Lax")
        git(Path(), "branch", "change")
        rules(STRICT)
        commit_all(Path(), "Strict")
        git(Path(), "checkout", "--quiet", "change")
        trained(repository)
        commit_all(Path(), "Train")
        found = document("main...change")
        assert found["status"] == "blocked"
        assert found["rules"]["source"] == "main:.kvcs.toml"
        assert [one["rule"] for one in found["findings"]] == ["same-weights"]

    @pytest.mark.parametrize("operands", [("main~1..main",), ("main~1", "main"), ("main~1",)])
    def test_of_two_revisions(self, repository: Network, operands: tuple[str, ...]) -> None:
        trained(repository)
        rules("")
        commit_all(Path(), "Train")
        found = document(*operands)
        assert found["rules"]["source"] == "main~1:.kvcs.toml"
        assert found["summary"] == {"error": 1, "warning": 1, "note": 0}

    @pytest.mark.parametrize(
        "operands",
        [
            ("net",),
            ("HEAD:models/net",),
            ("HEAD:./net", "net"),
            ("HEAD:models/net", "../models/net"),
        ],
    )
    def test_of_models(
        self, repository: Network, operands: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rules('[[rules]]\nrule = "same-weights"\nmodels = ["models/*"]\n')
        commit_all(Path())
        rules("")
        trained(repository)
        monkeypatch.chdir("models")
        found = document(*operands)
        assert found["status"] == "blocked"
        assert found["rules"]["source"] == "HEAD:.kvcs.toml"
        assert found["findings"][0]["file"] == "models/net/layers/dense/layer.json"

    def test_of_two_directories(self, repository: Network) -> None:
        new = repository.copy()
        new.nudge()
        store(new, Path("other"))
        assert document("models/net", "other")["rules"]["source"] == ".kvcs.toml"

    def test_given(self, repository: Network) -> None:
        trained(repository)
        Path("lax.toml").write_text(LAX)
        found = document("--rules", "lax.toml")
        assert (found["status"], found["rules"]["source"]) == ("clear", "lax.toml")
        assert refused("check", "--rules", "no.toml") == (
            "the rules in no.toml cannot be read: No such file or directory"
        )

    def test_broken_ones_on_the_old_side(self) -> None:
        rules("[[rules]]\n")
        commit_all(Path())
        assert refused("check") == (
            'HEAD:.kvcs.toml: rules[0]: rule is missing, as in rule = "same-interface"'
        )


class TestWhatCannotBeCompared:
    def damage(self) -> None:
        path = Path("models/net/layers/dense/layer.json")
        path.write_bytes(path.read_bytes().replace(b'"units": 8', b'"units": 9'))

    def test_is_as_bad_as_the_worst_rule(self) -> None:
        self.damage()
        found = document()
        assert found["status"] == "blocked"
        assert found["findings"][0]["rule"] == "incomplete"
        assert "models/net is damaged" in found["findings"][0]["detail"]

    def test_is_never_clear(self) -> None:
        rules("")
        commit_all(Path())
        self.damage()
        done = check()
        assert (done.code, done.lines[0]) == (0, "REVIEW: 1 warning; 1 of 1 model changed")

    def test_a_damaged_weight_that_a_rule_reads(self, repository: Network) -> None:
        rules('[[rules]]\nrule = "finite-weights"\n')
        commit_all(Path())
        trained(repository)
        path = Path("models/net/layers/dense/kernel.npy")
        path.write_bytes(path.read_bytes()[:-1])
        found = document()
        assert [one["rule"] for one in found["findings"]] == ["incomplete"]
        assert found["findings"][0]["at"] == "kernel"
        assert "truncated" in found["findings"][0]["detail"]

    def test_one_of_a_newer_format(self) -> None:
        manifest = Path("models/net/model.json")
        text = b'"format": 2,\n  "future": true'
        manifest.write_bytes(manifest.read_bytes().replace(b'"format": 1', text))
        found = document()
        assert found["status"] == "blocked"
        assert "upgrade kvcs" in found["findings"][0]["detail"]

    @pytest.mark.parametrize(("rule", "status"), [("finite-weights", "blocked"), ("size", "clear")])
    def test_an_object_of_lfs_counts_where_a_rule_reads_it(
        self, repository: Network, rule: str, status: str
    ) -> None:
        rules(f'[[rules]]\nrule = "{rule}"\n' + ("model = 10_000" if rule == "size" else ""))
        commit_all(Path())
        trained(repository)
        pointer_to(Path("models/net/layers/dense/kernel.npy"))
        found = document()
        assert found["status"] == status
        assert [one["rule"] for one in found["findings"]] == ["incomplete"] * (status != "clear")

    def test_one_that_is_new_and_damaged(self, repository: Network) -> None:
        store(repository, Path("models/new"))
        Path("models/new/layers/dense/layer.json").unlink()
        found = document()
        assert found["status"] == "blocked"
        assert [one["model"] for one in found["findings"]] == ["models/new"]


class TestModels:
    def test_new_and_removed_ones(self, repository: Network) -> None:
        rules('[[rules]]\nrule = "kept-models"\n[[rules]]\nrule = "parameters"\nmax = 10\n')
        commit_all(Path())
        git(Path(), "mv", "models/net", "models/moved")
        texts = [(one["model"], one["text"]) for one in document()["findings"]]
        assert texts == [
            ("models/moved", "216 parameters are more than 10"), ("models/net", "model removed"),
        ]  # fmt: skip

    def test_some_of_them(self, repository: Network) -> None:
        store(repository, Path("other/net"))
        commit_all(Path())
        trained(repository)
        assert check("--", "other").lines[0] == "CLEAR: no rule is broken; 0 of 1 model changed"
        assert check("HEAD", "--", "models").code == 1

    def test_a_pattern_that_matches_no_model(self) -> None:
        rules('[[rules]]\nrule = "same-interface"\nmodels = ["models/*", "prod/"]\n')
        commit_all(Path())
        told = "  note     unmatched-models  same-interface is for models that are not there: prod/"
        assert told in check().lines
        assert check("HEAD", "--", "models").out.count("\n") == 2

    def test_a_pattern_that_matches_no_layer(self) -> None:
        rules('[[rules]]\nrule = "frozen-layers"\nlayers = ["encodr/*"]\n')
        commit_all(Path())
        assert check().lines[:2] == [
            "REVIEW: 1 warning; 0 of 1 model changed",
            "  warning  unmatched-layers  frozen-layers is for layers that no model has: encodr/*",
        ]


class TestInPython:
    def test_two_models(self, repository: Network) -> None:
        trained(repository)
        report = package.check("HEAD:models/net", "models/net")
        assert not report
        assert report.status == "blocked"
        assert report.to_dict()["findings"][0]["layer"] == "dense"
        assert package.check("HEAD:models/net", "HEAD:models/net")

    def test_rules_of_ones_own(self, repository: Network, tmp_path: Path) -> None:
        trained(repository)
        (tmp_path / "mine.toml").write_text(LAX)
        report = package.check("HEAD:models/net", "models/net", rules=tmp_path / "mine.toml")
        assert report
        assert report.policy.source == str(tmp_path / "mine.toml")


def test_ascii(repository: Network) -> None:
    rules('[[rules]]\nrule = "parameters"\ngrowth = 1\n')
    commit_all(Path())
    new = repository.copy()
    new.insert(2, "Dense")
    store(new)
    assert "parameters 216 -> 288 (+33.3%)" in check("--ascii").out
    assert check("--ascii").out.isascii()


def test_operands_that_are_none() -> None:
    assert refused("check", "no-such") == "There is no revision 'no-such' in this repository."
    assert short()


@pytest.mark.parametrize("operands", [(), ("HEAD~1...HEAD",), ("HEAD~1:models/net", "models/net")])
@pytest.mark.parametrize("damage", ["altered: its SHA-256 is not the recorded one", "missing"])
def test_weights_that_are_not_as_described(damage: str, operands: tuple[str, ...]) -> None:
    """Nothing that is described has changed, so a diff finds nothing."""
    weights = Path("models/net/layers/dense/kernel.npy")
    if damage == "missing":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    if operands:
        commit_all(Path(), "Damage")
    done = check(*operands, "--width", "200")
    assert done.code == 1
    assert done.lines[0] == BLOCKED
    assert done.lines[1].endswith(f"layers/dense/kernel.npy (layer layers/dense): {damage}")


def test_weights_that_are_damaged_in_the_index_alone() -> None:
    weights = Path("models/net/layers/dense/kernel.npy")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + b"?")
    git(Path(), "add", "--all")
    weights.write_bytes(whole)
    assert check("HEAD:models/net", ":models/net").lines[0] == BLOCKED


def test_a_new_model_whose_weights_are_not_as_described(repository: Network) -> None:
    weights = store(repository, Path("models/new")) / "layers/dense/kernel.npy"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    commit_all(Path(), "Damage")
    done = check("HEAD~1")
    assert done.lines[0] == "BLOCKED: 1 error; 1 of 2 models changed"


def test_a_model_that_hides_among_the_layers_of_another(repository: Network) -> None:
    store(repository, Path("models/net/layers/hidden"))
    commit_all(Path(), "Hide")
    done = check("HEAD~1", "--width", "200")
    assert done.lines[0] == BLOCKED
    assert "layers/hidden/model.json" in done.lines[1]
    assert "extra: the model does not list it" in done.lines[1]


def test_a_file_that_is_no_part_of_the_model() -> None:
    Path("models/net/README.md").write_text("Read me.")
    commit_all(Path(), "Explain")
    assert check("HEAD~1").lines[0] == "CLEAR: no rule is broken; 0 of 1 model changed"


@pytest.mark.parametrize(
    ("operands", "says"),
    [
        (("HEAD:typo", "models/net"), "There is no directory 'typo' in revision 'HEAD'."),
        (("HEAD:models/net", "HEAD:typo"), "There is no directory 'typo' in revision 'HEAD'."),
        (("typo:models/net", "models/net"), "There is no revision 'typo' in this repository."),
        (("typo", "models/net"), "typo: no such directory."),
        (("models", "models/net"), "models holds no model: it has no model.json."),
    ],
)
def test_models_that_are_not_there(operands: tuple[str, str], says: str) -> None:
    assert refused("check", *operands).startswith(says)


def test_a_model_that_lost_its_manifest() -> None:
    Path("models/net/model.json").unlink()
    done = check("HEAD:models/net", "models/net")
    assert (done.code, done.lines[0]) == (1, BLOCKED)
