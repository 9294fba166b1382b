"""`kvcs blame`: the versions that last changed each layer, with real git and without Keras."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli import kvcs, refused
from gitrepo import commit_all, git
from histories import MODEL, network, short, store, version
from networks import Network

import kvcs as package
from kvcs.commands.blame import Blame, blame


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def net() -> Network:
    """A network with three dense layers, whose numbers are 2, 3 and 4, committed as `First`."""
    net, _ = network()
    version(net, "First")
    return net


def subjects(found: Blame) -> dict[str, tuple[str, str, str]]:
    return {
        line.layer: (
            line.place.subject,
            line.config.subject,
            line.weights.subject if line.weights else "",
        )
        for line in found
    }


def test_weights(net: Network) -> None:
    net.nudge([3])
    version(net, "Train")
    net.nudge([4])
    version(net, "Train the last")
    assert subjects(blame(MODEL)) == {
        "input_layer": ("First", "First", ""),
        "dense": ("First", "First", "First"),
        "dense_1": ("First", "First", "Train"),
        "dense_2": ("First", "First", "Train the last"),
    }
    assert subjects(blame(MODEL, "HEAD~1"))["dense_2"] == ("First", "First", "First")
    assert subjects(blame("HEAD~2:models/net"))["dense_1"] == ("First", "First", "First")


def test_settings(net: Network) -> None:
    net.layers[3].config["activation"] = "gelu"
    version(net, "Set")
    assert subjects(blame(MODEL))["dense_1"] == ("First", "Set", "First")


def test_a_layer_is_followed_when_it_gets_another_number(net: Network) -> None:
    net.nudge([3])
    version(net, "Train")
    net.insert(2, "Dense")
    version(net, "Insert")
    found = subjects(blame(MODEL))
    assert found["dense_1"] == ("Insert", "Insert", "Insert")
    assert found["dense_2"] == ("First", "First", "Train")
    assert found["dense_3"] == ("First", "First", "First")


def test_a_renamed_directory(net: Network) -> None:
    git(Path(), "mv", "models/net", "other")
    net.nudge([3])
    version(net, "Move and train", Path("other"))
    found = blame("other")
    assert subjects(found)["dense"] == ("First", "First", "First")
    assert subjects(found)["dense_1"] == ("First", "First", "Move and train")
    assert {line.place.path for line in found} == {"models/net"}


def test_lines_that_met(net: Network) -> None:
    git(Path(), "branch", "side")
    net.nudge([2])
    version(net, "Ours")
    kernel = net.layers[2].weights
    git(Path(), "switch", "--quiet", "side")
    theirs, _ = network()
    theirs.nudge([3])
    version(theirs, "Theirs")
    git(Path(), "switch", "--quiet", "main")
    git(Path(), "merge", "--quiet", "--no-commit", "-s", "ours", "side")
    theirs.layers[2].weights = kernel
    version(theirs, "Merge")
    found = subjects(blame(MODEL))
    assert [found[f"dense{at}"][2] for at in ("", "_1", "_2")] == ["Ours", "Theirs", "First"]


def test_a_damaged_version_is_passed_over(net: Network) -> None:
    (MODEL / "layers/dense/layer.json").unlink()
    commit_all(Path(), "Break")
    net.nudge([3])
    version(net, "Mend")
    found = blame(MODEL)
    assert subjects(found)["dense"] == ("First", "First", "First")
    assert subjects(found)["dense_1"] == ("First", "First", "Mend")
    assert found.skipped == (git(Path(), "rev-parse", "HEAD~1"),)
    assert kvcs("blame", "models/net").lines[-1] == (
        "1 version could not be read, and what changed there is said of the next."
    )


def test_a_model_that_was_added_again_is_new(net: Network) -> None:
    git(Path(), "rm", "-rq", "models")
    git(Path(), "commit", "--quiet", "-m", "Remove")
    version(net, "Again")
    assert {subject for line in subjects(blame(MODEL)).values() for subject in line} == {
        "Again", "",
    }  # fmt: skip


def test_a_shallow_clone(
    net: Network, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net.nudge([2])
    version(net, "Second")
    net.nudge([3])
    version(net, "Third")
    git(tmp_path, "clone", "--quiet", "--depth=2", f"file://{root}", "shallow")
    monkeypatch.chdir(tmp_path / "shallow")
    lines = kvcs("blame", "models/net").lines
    assert f"^{short('HEAD~1')}" in lines[1]
    assert lines[-1] == "^ or older: `git fetch --unshallow` brings what a shallow clone lacks."


def test_a_bare_repository(net: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", "project", "bare.git")
    monkeypatch.chdir(tmp_path / "bare.git")
    assert len(blame("main:models/net")) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["never"], "no commit touched 'never'"),
        (["v9", "models/net"], "There is no revision 'v9' in this repository."),
        (["a", "b", "models/net"], "expected one revision and a directory, got 3 operands"),
        (["main", "main:models/net"], "'main:models/net' names a revision already: name DIR alone"),
    ],
)
def test_refused(net: Network, arguments: list[str], message: str) -> None:
    assert refused("blame", *arguments) == message


def test_what_is_not_there_any_more(net: Network) -> None:
    git(Path(), "rm", "-rq", "models")
    git(Path(), "commit", "--quiet", "-m", "Remove")
    assert refused("blame", "models/net") == (
        f"models/net was removed in {short()}: name the version before, {short()}^:models/net"
    )
    assert kvcs("blame", f"{short()}^:models/net").code == 0


def test_a_damaged_one(net: Network) -> None:
    (MODEL / "layers/dense/layer.json").unlink()
    commit_all(Path(), "Break")
    assert refused("blame", "models/net").startswith(
        f"models/net cannot be read in {short()}: layers/dense/"
    )


def test_text(net: Network) -> None:
    net.nudge([3])
    version(net, "Train [bold]\x1b[2J")
    first, second = short("HEAD~1"), short()
    assert kvcs("blame", "models/net").lines == [
        "Layer (class)             Place    Config   Weights",
        f"input_layer (InputLayer)  {first}  {first}",
        f"dense (Dense)             {first}  {first}  {first}",
        f"dense_1 (Dense)           {first}  {first}  {second}",
        f"dense_2 (Dense)           {first}  {first}  {first}",
        "",
        "Version  Date        Author       Subject",
        *sorted(
            [
                f"{first}  2026-01-02  Ada Example  First",
                f"{second}  2026-01-02  Ada Example  Train [bold]\\x1b[2J",
            ],
            reverse=True,
        ),
    ]


def test_json(net: Network) -> None:
    found = json.loads(kvcs("blame", "models/net", "--json").out)
    assert (found["format"], found["path"], found["skipped"]) == ("kvcs.blame/1", "models/net", [])
    assert found["lines"][0]["weights"] is None
    assert found["lines"][1]["weights"]["abbrev"] == short()


def test_it_is_a_public_function(net: Network) -> None:
    store(net)
    assert len(package.blame("models/net")) == 4
