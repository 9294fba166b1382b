"""`kvcs log`: the versions of a model, with real git and without Keras."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli import kvcs, process, refused, without
from gitrepo import commit_all, git, write
from histories import MODEL, network, short, store, version
from networks import Network
from rich.console import Console

import kvcs as package
from kvcs.commands.log import Log, log
from kvcs.errors import KvcsError, OperandError, RepositoryError
from kvcs.render.history import log as render_log
from kvcs.render.history import phrase


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository; the tests run inside of it."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet")
    monkeypatch.chdir(root)
    return root


def phrases(found: Log) -> dict[str, str]:
    return {entry.subject: phrase(entry) for entry in found}


@pytest.fixture
def net() -> Network:
    """A network with three dense layers, committed as `First`."""
    net, _ = network()
    version(net, "First")
    return net


class TestWhatChanged:
    def test_weights(self, net: Network) -> None:
        net.nudge([2])
        version(net, "One layer")
        net.nudge()
        version(net, "All")
        assert phrases(log(MODEL)) == {
            "All": "all 6 tensors",
            "One layer": "2 of 6 tensors",
            "First": "new model, 4 layers",
        }

    def test_layers_and_settings(self, net: Network) -> None:
        net.insert(2, "Dense")
        version(net, "Insert")
        net.layers[2].config["activation"] = "gelu"
        version(net, "Set")
        net.delete(3)
        version(net, "Delete")
        found = phrases(log(MODEL))
        assert found["Insert"] == "+1 layer, 2 of 8 tensors"
        assert found["Set"] == "1 setting"
        assert found["Delete"].startswith("-1 layer")

    def test_a_rebuilt_model_is_as_before(self, net: Network) -> None:
        net.keras_version = "3.15.2"
        version(net, "Same but for Keras")
        assert phrases(log(MODEL))["Same but for Keras"] == "model as before"

    def test_what_compile_was_given(self, net: Network) -> None:
        net.training = {"loss": "mse"}
        version(net, "Compile")
        assert phrases(log(MODEL))["Compile"] == "training settings"

    def test_a_file_that_belongs_to_no_model(self, net: Network) -> None:
        write(MODEL, {"README.md": b"Read me\n"})
        commit_all(Path(), "Explain")
        assert phrases(log(MODEL))["Explain"] == "model as before"

    def test_parameters_and_metrics(self, net: Network) -> None:
        version_metrics = ["loss=0.25", "accuracy=0.5", "odd", "note=good", "far=inf"]
        net.nudge()
        version(net, "Train", metrics=version_metrics)
        newest, oldest = log(MODEL)
        assert newest.metrics == {"accuracy": 0.5, "loss": 0.25}
        assert oldest.metrics == {}
        assert (newest.layers, newest.tensors, newest.parameters) == (4, 6, 216)

    def test_removed_and_added_again(self, net: Network) -> None:
        git(Path(), "rm", "-rq", "models")
        git(Path(), "commit", "--quiet", "-m", "Remove")
        version(net, "Again")
        assert phrases(log(MODEL)) == {
            "Again": "new model, 4 layers",
            "Remove": "removed",
            "First": "new model, 4 layers",
        }


class TestFollows:
    def test_a_rename(self, net: Network) -> None:
        git(Path(), "mv", "models", "networks")
        git(Path(), "commit", "--quiet", "-m", "Rename")
        net.nudge([2])
        version(net, "Train", Path("networks/net"))
        found = log("networks/net")
        assert phrases(found) == {
            "Train": "2 of 6 tensors",
            "Rename": "was models/net: model as before",
            "First": "new model, 4 layers",
        }
        assert [entry.path for entry in found] == ["networks/net", "networks/net", "models/net"]
        assert found.entries[1].parents == (found.entries[2].commit,)

    def test_a_rename_with_a_change_of_everything(self, net: Network) -> None:
        git(Path(), "mv", "models/net", "models/other")
        net.nudge()
        version(net, "Both", Path("models/other"))
        assert phrases(log("models/other"))["Both"] == "was models/net: all 6 tensors"

    def test_two_renames(self, net: Network) -> None:
        for old, new in (("models/net", "a"), ("a", "b")):
            git(Path(), "mv", old, new)
            git(Path(), "commit", "--quiet", "-m", f"To {new}")
        assert [entry.subject for entry in log("b")] == ["To b", "To a", "First"]
        assert [entry.subject for entry in log("b", limit=2)] == ["To b", "To a"]
        assert [entry.subject for entry in log("b", "HEAD~2..HEAD")] == ["To b", "To a"]

    def test_another_model_that_had_the_name_before_is_none_of_its_versions(
        self, net: Network
    ) -> None:
        git(Path(), "rm", "-rq", "models/net")
        git(Path(), "commit", "--quiet", "-m", "Remove")
        other, _ = network(5)
        version(other, "Other", Path("other"))
        Path("models").mkdir(exist_ok=True)
        git(Path(), "mv", "other", "models/net")
        git(Path(), "commit", "--quiet", "-m", "Take the name")
        assert [entry.subject for entry in log(MODEL)] == ["Take the name", "Other"]

    def test_a_copy_is_a_new_model(self, net: Network) -> None:
        version(net, "Copy", Path("copy"))
        assert phrases(log("copy")) == {"Copy": "new model, 4 layers"}

    def test_a_merge_of_two_lines(self, net: Network) -> None:
        git(Path(), "branch", "side")
        net.nudge([2])
        version(net, "Ours")
        git(Path(), "switch", "--quiet", "side")
        theirs, _ = network()
        theirs.nudge([3])
        version(theirs, "Theirs")
        git(Path(), "switch", "--quiet", "main")
        git(Path(), "merge", "--quiet", "--no-commit", "-s", "ours", "side")
        net.nudge([4])
        version(net, "Both")
        found = log(MODEL)
        assert phrases(found)["Both"] == "merge: 2 of 6 tensors"
        assert {entry.subject for entry in found} == {"Both", "Ours", "Theirs", "First"}
        assert len(found.entries[0].parents) == 2

    def test_a_merge_that_took_one_side(self, net: Network) -> None:
        git(Path(), "switch", "--quiet", "-c", "side")
        net.nudge([2])
        version(net, "Train")
        git(Path(), "switch", "--quiet", "main")
        git(Path(), "merge", "--quiet", "--no-ff", "-m", "Merge", "side")
        assert [entry.subject for entry in log(MODEL)] == ["Train", "First"]

    def test_a_merge_of_many_lines(self, net: Network) -> None:
        git(Path(), "rm", "-rq", "models")
        git(Path(), "commit", "--quiet", "-m", "Remove")
        for name in ("a", "b", "c"):
            git(Path(), "switch", "--quiet", "-c", name, "main")
            mine = version(net, name) if name == "c" else ""
            if not mine:
                git(Path(), "commit", "--quiet", "--allow-empty", "-m", name)
        git(Path(), "switch", "--quiet", "main")
        git(Path(), "commit", "--quiet", "--allow-empty", "-m", "Go on")
        git(Path(), "merge", "--quiet", "-m", "Octopus", "a", "b", "c")
        assert [entry.subject for entry in log(MODEL)] == ["c", "Remove", "First"]

    def test_lines_that_crossed(self, net: Network) -> None:
        for name in ("a", "b"):
            git(Path(), "switch", "--quiet", "-c", name, "main")
            mine, _ = network()
            mine.nudge([2 if name == "a" else 3])
            version(mine, name.upper())
        first = git(Path(), "rev-parse", "a"), git(Path(), "rev-parse", "b")
        for name, other in (("a", first[1]), ("b", first[0])):
            git(Path(), "switch", "--quiet", name)
            git(Path(), "merge", "--quiet", "--no-commit", "-s", "ours", other)
            mine, _ = network()
            mine.nudge([4], by=1.0 if name == "a" else 2.0)
            version(mine, f"Cross {name}")
        git(Path(), "merge", "--quiet", "--no-commit", "-s", "ours", "a")
        mine.nudge()
        version(mine, "Join")
        subjects = [entry.subject for entry in log(MODEL)]
        assert subjects[0] == "Join"
        assert sorted(subjects) == ["A", "B", "Cross a", "Cross b", "First", "Join"]


class TestWhatCannotBeRead:
    def test_a_damaged_version(self, net: Network) -> None:
        (MODEL / "layers/dense/layer.json").unlink()
        commit_all(Path(), "Break")
        version(net, "Mend")
        found = log(MODEL)
        assert phrases(found)["Break"].startswith("damaged: layers/dense/")
        assert phrases(found)["Mend"] == "after a version that cannot be read"
        assert found.entries[1].parameters is None

    @pytest.mark.parametrize(
        ("path", "problem"),
        [
            ("model.json", "damaged: model.json: "),
            ("layers/dense/layer.json", "damaged: layers/dense/layer.json (layer layers/dense): "),
        ],
    )
    def test_an_altered_file(self, net: Network, path: str, problem: str) -> None:
        text = (MODEL / path).read_bytes()
        (MODEL / path).write_bytes(text.replace(b'"trainable": true', b'"trainable": false', 1))
        commit_all(Path(), "Alter")
        assert phrases(log(MODEL))["Alter"].startswith(problem)

    def test_a_missing_tensor(self, net: Network) -> None:
        (MODEL / "layers/dense/bias.npy").unlink()
        commit_all(Path(), "Lose")
        line = "damaged: layers/dense/bias.npy (layer layers/dense): missing"
        assert phrases(log(MODEL))["Lose"] == line

    def test_no_json_at_all(self, net: Network) -> None:
        (MODEL / "model.json").write_bytes(b'"checksum" \xff\x00')
        commit_all(Path(), "Break")
        assert phrases(log(MODEL))["Break"].startswith("damaged: model.json: ")

    def test_a_manifest_of_somebody_else(self, net: Network) -> None:
        (MODEL / "model.json").write_bytes(b'{"theirs": 1}\n')
        commit_all(Path(), "Replace")
        assert phrases(log(MODEL))["Replace"] == "no model of kvcs"

    def test_a_later_format(self, net: Network) -> None:
        text = (MODEL / "model.json").read_text()
        text = text.replace('"format": 1', '"format": 2').replace('"checksum": "', '"checksum": "0')
        (MODEL / "model.json").write_text(text)
        commit_all(Path(), "Newer")
        entry = log(MODEL).entries[0]
        assert entry.state == "newer"
        assert "upgrade kvcs" in phrase(entry)

    def test_a_link_in_the_place_of_a_file(self, net: Network) -> None:
        (MODEL / "layers/dense/layer.json").unlink()
        (MODEL / "layers/dense/layer.json").symlink_to("elsewhere")
        commit_all(Path(), "Link")
        assert phrases(log(MODEL))["Link"].startswith("damaged: layers/dense")

    def test_a_name_that_is_not_utf8(self, net: Network) -> None:
        net.nudge([2])
        store(net)
        Path(os.fsdecode(b"models/net/layers/caf\xe9")).write_bytes(b"")
        commit_all(Path(), "Odd name")
        assert phrases(log(MODEL))["Odd name"] == "2 of 6 tensors"


class TestOperands:
    def test_a_directory_that_is_no_more(self, net: Network) -> None:
        git(Path(), "rm", "-rq", "models")
        git(Path(), "commit", "--quiet", "-m", "Remove")
        assert [entry.subject for entry in log(MODEL)] == ["Remove", "First"]

    def test_from_a_directory_below(self, net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir("models")
        assert log("net").path == "models/net"
        monkeypatch.chdir("net")
        assert log(".").path == "models/net"

    def test_from_outside(
        self, net: Network, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert len(log(root / MODEL)) == 1

    def test_a_model_in_the_root(self) -> None:
        net, _ = network()
        for path in list(store(net, Path("made")).iterdir()):
            path.rename(path.name)
        write(Path("elsewhere"), {"a.txt": b""})
        commit_all(Path(), "First")
        assert phrases(log(".")) == {"First": "new model, 4 layers"}

    def test_revisions(self, net: Network) -> None:
        git(Path(), "tag", "v1")
        for name in ("v2", "v3"):
            net.nudge([2])
            version(net, name)
            git(Path(), "tag", name)

        def subjects(*arguments: str) -> list[str]:
            found = json.loads(kvcs("log", "--json", *arguments).out)
            return [entry["subject"] for entry in found["versions"]]

        assert subjects("models/net") == ["v3", "v2", "First"]
        assert subjects("v1..v2", "models/net") == ["v2"]
        assert subjects("v3", "^v2", "--", "models/net") == ["v3"]
        assert subjects("v2:models/net") == ["v2", "First"]
        assert subjects("models/net", "-n", "1") == ["v3"]
        assert subjects("models/net", "--reverse") == ["First", "v2", "v3"]
        assert subjects("models/net", "--since", "2027-01-01") == []
        assert subjects("models/net", "--until", "2027-01-01", "-n2") == ["v3", "v2"]

    def test_a_bare_repository(
        self, net: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        git(tmp_path, "clone", "--quiet", "--bare", "project", "bare.git")
        monkeypatch.chdir(tmp_path / "bare.git")
        assert len(log("main:models/net")) == len(log("models/net")) == 1

    def test_a_shallow_clone(
        self, net: Network, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for subject in ("Second", "Third"):
            net.nudge([2])
            version(net, subject)
        git(tmp_path, "clone", "--quiet", "--depth=2", f"file://{root}", "shallow")
        monkeypatch.chdir(tmp_path / "shallow")
        assert phrases(log(MODEL)) == {
            "Third": "2 of 6 tensors",
            "Second": "first version here, 4 layers",
        }
        assert kvcs("log", "models/net").lines[-1] == (
            f"A shallow clone holds nothing before {short('HEAD~1')}; "
            "`git fetch --unshallow` brings the rest."
        )

    def test_a_partial_clone_fetches_once_and_no_tensor(
        self, net: Network, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(3):
            net.nudge([2])
            version(net, "Train")
        for setting in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
            git(root, "config", setting, "true")
        source = f"file://{root}"
        git(tmp_path, "clone", "--quiet", "--filter=blob:none", "--no-checkout", source, "partial")
        monkeypatch.chdir(tmp_path / "partial")
        packs = len(list(Path(".git/objects/pack").glob("*.pack")))
        assert phrase(log(MODEL).entries[0]) == "2 of 6 tensors"
        assert len(list(Path(".git/objects/pack").glob("*.pack"))) <= packs + 1
        missing = git(Path(), "rev-list", "--objects", "--missing=print", "--all").splitlines()
        tensors = {
            line.split()[0]
            for line in git(root, "rev-list", "--objects", "--all").splitlines()
            if line.endswith(".npy")
        }
        assert {line[1:] for line in missing if line.startswith("?")} == tensors

    def test_a_linked_worktree(
        self, net: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        git(Path(), "worktree", "add", "--quiet", str(tmp_path / "linked"))
        monkeypatch.chdir(tmp_path / "linked")
        assert len(log(MODEL)) == 1

    def test_names_of_sha256(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        git(tmp_path, "init", "--quiet", "--object-format=sha256", "long")
        monkeypatch.chdir(tmp_path / "long")
        net, _ = network()
        version(net, "First")
        net.nudge([2])
        version(net, "Train")
        assert phrases(log(MODEL))["Train"] == "2 of 6 tensors"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["never"], "no commit touched 'never'"),
            (["main"], ("no commit touched 'main'; main is a revision: name the directory of a "
             "model as well")),
            (["v9", "models/net"], "There is no revision 'v9' in this repository."),
            (["main..v9", "models/net"], "There is no revision 'v9' in this repository."),
            ([":models/net"], ("':models/net' is in the index, which has no past: name DIR or "
             "REV:DIR")),
            (["main", "HEAD:models/net"], "'HEAD:DIR' names a revision already: name DIR alone"),
            (["models/net", "-n-1"], "expected a number of versions, got -1"),
            (["models/net", "--metric", "loss"], "--metric says what --plot draws: give both"),
            ([""], "expected a directory or REV:DIR, got ''"),
        ],
    )  # fmt: skip
    def test_refused(self, net: Network, arguments: list[str], message: str) -> None:
        assert refused("log", *arguments) == message

    def test_an_option_for_git(self, net: Network) -> None:
        with pytest.raises(RepositoryError, match="no name in git begins with '-'"):
            log(MODEL, "--output=/tmp/x")

    def test_before_the_first_commit(self) -> None:
        net, _ = network()
        store(net)
        assert refused("log", "models/net") == (
            "'HEAD' names nothing yet: branch 'main' has no commit."
        )

    def test_not_committed_yet(self, net: Network) -> None:
        store(net, Path("models/new"))
        assert refused("log", "models/new") == (
            "no commit touched 'models/new'; `kvcs commit` makes the first one"
        )

    def test_no_repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert "There is no git repository" in refused("log", "models/net")


class TestText:
    def test_a_table(self, net: Network) -> None:
        net.nudge([2])
        version(net, "Train", metrics=["loss=0.25"])
        assert kvcs("log", "models/net").lines == [
            "Version  Date        Author       Change               Params  loss  Subject",
            f"{short()}  2026-01-02  Ada Example  2 of 6 tensors          216  0.25  Train",
            f"{short('HEAD~1')}  2026-01-02  Ada Example  new model, 4 layers     216        First",
        ]

    @pytest.mark.parametrize(
        ("width", "lines"),
        [
            (
                80,
                [
                    "Version  Date        Author       Change               Params  Subject",
                    "{}  2026-01-02  Ada Example  2 of 6 tensors          216  Train",
                    "{}  2026-01-02  Ada Example  new model, 4 layers     216  First",
                ],
            ),
            (
                40,
                [
                    "{}  2026-01-02 Ada Example: Train",
                    "         2 of 6 tensors, 216 params",
                    "{}  2026-01-02 Ada Example: First",
                    "         new model, 4 layers, 216 params",
                ],
            ),
        ],
    )
    def test_on_a_terminal(self, net: Network, width: int, lines: list[str]) -> None:
        net.nudge([2])
        version(net, "Train")
        output = io.StringIO()
        console = Console(file=output, width=width, force_terminal=True, color_system=None)
        console.print(render_log(log(MODEL)), soft_wrap=True)
        expected = "\n".join(lines).format(short(), short("HEAD~1"))
        found = re.sub("\x1b.*?m", "", output.getvalue())
        assert [line.rstrip() for line in found.splitlines()] == expected.splitlines()

    def test_many_metrics_share_a_column(self, net: Network) -> None:
        net.nudge([2])
        version(net, "Train", metrics=[f"m{at}={at}" for at in range(5)])
        assert "m0 0, m1 1, m2 2, m3 3, m4 4" in kvcs("log", "models/net").out

    def test_what_could_move_the_cursor_is_escaped(self, net: Network) -> None:
        git(Path(), "config", "user.name", "unused")
        environment = {**os.environ, "GIT_AUTHOR_NAME": "Eve \x1b[2J[bold]\u202ek"}
        net.nudge([2])
        store(net)
        message = "Hi \x1b]0;x\x07 [red]a[/]\u202e\n\nKvcs-Metric: l\x1b[1m\u202eoss=1"
        git(Path(), "add", "-A")
        subprocess.run(["git", "commit", "-qm", message], env=environment, check=True)
        found = kvcs("log", "models/net")
        assert found.code == 0
        assert found.out.replace("\n", "").isprintable()
        assert "[red]a[/]" in found.out
        assert json.loads(kvcs("log", "models/net", "--json").out)

    def test_messages_and_names_in_other_encodings(self, net: Network) -> None:
        git(Path(), "config", "i18n.commitEncoding", "ISO-8859-1")
        net.nudge([2])
        store(net)
        git(Path(), "add", "-A")
        git(Path(), "commit", "-q", "-F", "-", stdin="Größer".encode("latin-1"))
        git(Path(), "config", "i18n.commitEncoding", "UTF-8")
        net.nudge([2])
        version(net, "Small")
        # git itself makes no such commit, but others do.
        text = git(Path(), "cat-file", "commit", "HEAD").encode()
        text = text.replace(b"Small", b"Gr\xf6\xdfer").replace(b"author Ada", b"author \xc4da")
        made = git(Path(), "hash-object", "-t", "commit", "-w", "--stdin", stdin=text + b"\n")
        git(Path(), "reset", "--quiet", made)
        found = log(MODEL)
        assert found.entries[0].author == "\ufffdda Example"
        assert [entry.subject for entry in found] == ["Gr\ufffd\ufffder", "Größer", "First"]
        assert kvcs("log", "models/net").code == 0

    def test_nothing_depends_on_the_hash_seed(self, net: Network) -> None:
        net.nudge([2])
        version(net, "Train", metrics=["b=1", "a=2"])
        printed = {
            process("log", "models/net", "--json", env=without(PYTHONHASHSEED=seed)).out
            for seed in ("1", "2")
        }
        assert len(printed) == 1

    def test_json(self, net: Network) -> None:
        net.insert(2, "Dense")
        commit = version(net, "Insert", metrics=["loss=0.25"])
        found = json.loads(kvcs("log", "models/net", "--json").out)
        assert (found["format"], found["path"]) == ("kvcs.log/1", "models/net")
        newest, oldest = found["versions"]
        assert newest == {
            "abbrev": short(),
            "author": "Ada Example",
            "commit": commit,
            "cut": False,
            "date": "2026-01-02T03:04:05+00:00",
            "layers": 5,
            "metrics": {"loss": 0.25},
            "parameters": 288,
            "parents": [oldest["commit"]],
            "path": "models/net",
            "problem": "",
            "state": "model",
            "step": {
                "kind": "changed",
                "merge": False,
                "renamed_from": "",
                "state": False,
                "summary": newest["step"]["summary"],
                "tensors": 2,
                "training": False,
            },
            "subject": "Insert",
            "tensors": 8,
        }
        assert newest["step"]["summary"]["added"] == 1


class TestPlot:
    @pytest.fixture(autouse=True)
    def trained(self, net: Network) -> None:
        for epoch in range(3):
            net.nudge([2])
            version(net, "Train", metrics=[f"loss={1 / (epoch + 1)}", "$x^{=1"])

    def test_is_the_same_each_time(self) -> None:
        pytest.importorskip("matplotlib")
        assert kvcs("log", "models/net", "--plot", "a.png").out == "wrote a.png\n"
        Path("b.png").write_bytes(b"old")
        assert kvcs("log", "models/net", "--plot", "b.png").code == 0
        drawn = Path("a.png").read_bytes()
        assert drawn.startswith(b"\x89PNG")
        assert drawn == Path("b.png").read_bytes()
        assert b"matplotlib" not in drawn.lower()

    def test_of_one_metric(self) -> None:
        pytest.importorskip("matplotlib")
        kvcs("log", "models/net", "--plot", "all.png")
        kvcs("log", "models/net", "--plot", "one.png", "--metric", "loss")
        assert len(Path("one.png").read_bytes()) < len(Path("all.png").read_bytes())

    def test_without_matplotlib(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        assert refused("log", "models/net", "--plot", "a.png") == (
            "a plot needs matplotlib, which is not installed: pip install 'kvcs[plot]'"
        )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["a.png", "--metric", "f1"], "no version has a metric 'f1': there are $x^{, loss"),
            (["a.svg"], "--plot writes a PNG: a.svg should end in .png"),
            (["no/a.png"], "no/a.png cannot be written: No such file or directory"),
        ],
    )
    def test_refused(self, arguments: list[str], message: str) -> None:
        pytest.importorskip("matplotlib")
        assert refused("log", "models/net", "--plot", *arguments) == message

    def test_without_a_metric(self) -> None:
        net, _ = network()
        version(net, "Other", Path("other"))
        assert "no version of other has a metric" in refused("log", "other", "--plot", "a.png")


def test_neither_keras_nor_a_tensor_is_needed(net: Network) -> None:
    """The blobs of all tensors are taken out of the repository."""
    net.nudge([2])
    version(net, "Train")
    for line in git(Path(), "rev-list", "--all", "--objects").splitlines():
        name, _, path = line.partition(" ")
        if path.endswith(".npy"):
            Path(".git/objects", name[:2], name[2:]).unlink()
    script = (
        "import sys; sys.modules['keras'] = None\n"
        "import kvcs; print(len(kvcs.log('models/net')), len(kvcs.blame('models/net')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "2 4\n", done.stderr


def test_it_is_a_public_function(net: Network) -> None:
    assert [entry.subject for entry in package.log("models/net")] == ["First"]
    assert package.log("models/net").to_dict()["format"] == "kvcs.log/1"
    assert issubclass(OperandError, KvcsError)
