"""`kvcs find`: which revisions hold a model, with real git and without Keras."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cli import kvcs, nested, refused
from cli import store as store_model
from gitrepo import commit_all, git, write
from histories import MODEL, network, short, store, version
from networks import Network

import kvcs as package
from kvcs import workdir
from kvcs.commands.find import find
from kvcs.tree import writer


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with three versions; the tests run inside of it."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def net() -> Network:
    net, _ = network()
    version(net, "First")
    git(Path(), "tag", "v1")
    net.nudge([2])
    version(net, "Second")
    net.nudge([3])
    version(net, "Third")
    return net


class TestExactly:
    def test_a_version(self, net: Network) -> None:
        found = find("v1:models/net")
        assert found
        (place,) = found
        assert [commit.subject for commit in place.since] == ["First"]
        assert [commit.subject for commit in place.until] == ["Second"]
        assert (place.path, place.refs, place.share) == ("models/net", ("refs/tags/v1",), 1.0)

    def test_what_stands_now(self, net: Network) -> None:
        (place,) = find(MODEL)
        assert (place.refs, place.until) == (("refs/heads/main",), ())

    def test_two_directories(self, net: Network) -> None:
        version(net, "Copy", Path("copy"))
        assert [place.path for place in find(MODEL)] == ["copy", "models/net"]
        assert [place.path for place in find(MODEL, "models")] == ["models/net"]
        assert [place.path for place in find(MODEL, "copy")] == ["copy"]

    def test_on_a_branch_that_is_not_checked_out(self, net: Network) -> None:
        git(Path(), "switch", "--quiet", "-c", "side")
        net.nudge()
        version(net, "Beside")
        store(net, Path("deployed"))
        git(Path(), "switch", "--quiet", "main")
        (place,) = find("deployed")
        assert place.refs == ("refs/heads/side",)

    def test_brought_back(self, net: Network) -> None:
        git(Path(), "checkout", "--quiet", "v1", "--", "models")
        git(Path(), "commit", "--quiet", "-m", "Back")
        (place,) = find("v1:models/net")
        assert [commit.subject for commit in place.since] == ["Back", "First"]
        assert place.refs == ("refs/heads/main", "refs/tags/v1")

    def test_a_merge_brings_only_what_no_parent_has(self, net: Network) -> None:
        git(Path(), "switch", "--quiet", "-c", "side", "v1")
        write(Path(), {"README.md": b"Hello\n"})
        commit_all(Path(), "Elsewhere")
        git(Path(), "switch", "--quiet", "main")
        git(Path(), "merge", "--quiet", "--no-ff", "-m", "Merge", "side")
        (place,) = find(MODEL)
        assert [commit.subject for commit in place.since] == ["Third"]

    def test_state_and_what_compile_was_given_do_not_count(self, net: Network) -> None:
        stored = replace(net.stored(), training={"loss": "mse"}, keras_version="3.99.0")
        workdir.replace(Path("deployed"), writer.files(stored, net.contents()))
        assert find("deployed")

    def test_a_model_inside_another_one_is_no_place(self) -> None:
        store_model(Path("outer"), nested())
        commit_all(Path(), "First")
        found = find("outer")
        assert (found.searched, [place.path for place in found]) == (1, ["outer"])


class TestNearest:
    def test_by_the_weights_that_are_shared(self, net: Network) -> None:
        net.nudge([4])
        store(net, Path("deployed"))
        found = find("deployed")
        assert not found
        shares = {place.since[0].subject: round(place.share, 2) for place in found}
        assert list(shares) == ["Third", "Second"]
        assert shares["Third"] == 0.67
        assert find("deployed", nearest=1).places == found.places[:1]

    def test_zeros_are_nothing_in_common(self, net: Network) -> None:
        fresh, _ = network()
        fresh.scratch()
        for number in (2, 3, 4):
            fresh.initialize(number)
        store(fresh, Path("deployed"))
        found = find("deployed")
        assert (found.places, found.searched) == ((), 3)

    def test_the_same_weights_in_another_architecture(self, net: Network) -> None:
        net.layers[2].config["activation"] = "gelu"
        store(net, Path("deployed"))
        found = find("deployed")
        assert not found
        assert not found.places[0].exact


class TestWhatCannotBeRead:
    def test_is_passed_over(self, net: Network) -> None:
        store(net, Path("deployed"))
        write(Path("foreign"), {"model.json": b"{}\n"})
        write(Path("broken"), {"model.json": b'"checksum"\n'})
        write(Path("models/net"), {"model.json": b'"checksum"\n'})
        commit_all(Path(), "Break")
        found = find("deployed")
        assert found.searched == 3 + 1  # what is deployed was committed, too
        assert {place.path for place in found} == {"deployed", "models/net"}

    def test_an_empty_repository(self, tmp_path: Path) -> None:
        net, _ = network()
        store(net, Path("deployed"))
        assert find("deployed").searched == 0
        assert kvcs("find", "deployed") == (
            1,
            "NOT FOUND: no commit has a model that shares weights with deployed\n",
            "",
        )

    def test_no_repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        net, _ = network()
        store(net, Path("deployed"))
        assert "There is no git repository" in refused("find", "deployed")

    def test_no_model(self, net: Network) -> None:
        assert "nothing" not in refused("find", "never")
        assert refused("find", "models/net", "-n-1") == "expected a number of models, got -1"


class TestText:
    def test_found(self, net: Network) -> None:
        store(net, Path("deployed"))
        assert kvcs("find", "v1:models/net") == (
            0,
            (
                "FOUND: v1:models/net is in git, equal in architecture and weights\n"
                "  models/net\n"
                f"    since {short('v1')} 2026-01-02 First\n"
                f"    until {short('HEAD~1')} 2026-01-02 Second\n"
                "    now in tag v1\n"
            ),
            "",
        )

    def test_not_found(self, net: Network) -> None:
        net.nudge([4])
        store(net, Path("deployed"))
        done = kvcs("find", "deployed", "-n", "1")
        assert done.code == 1
        assert done.lines == [
            "NOT FOUND: deployed is in no commit; the nearest, by the weights they share with it",
            "  66.6 % models/net",
            f"    since {short()} 2026-01-02 Third",
            "    now in main",
        ]

    def test_json(self, net: Network) -> None:
        done = kvcs("find", "models/net", "--json")
        found = json.loads(done.out)
        assert (found["format"], found["exact"], found["searched"]) == ("kvcs.find/1", True, 3)
        assert found["places"][0]["since"][0]["abbrev"] == short()

    def test_what_could_move_the_cursor_is_escaped(self, net: Network) -> None:
        net.nudge()
        version(net, "Hi \x1b[2J[bold]\u202e")
        out = kvcs("find", "models/net").out
        assert out.replace("\n", "").isprintable()
        assert "[bold]" in out


def test_it_is_a_public_function(net: Network) -> None:
    assert package.find("models/net")
