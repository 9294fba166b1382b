"""`kvcs ci`: a pull request is analysed without a token, and commented on without a repository."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli import Done, kvcs
from forge_server import Forge
from gitrepo import commit_all, git
from histories import network, store
from networks import Network

from kvcs.commands.ci import results
from kvcs.forge.sticky import MARKER
from kvcs.rules import schema

jsonschema = pytest.importorskip("jsonschema")

RULES = '[[rules]]\nrule = "same-interface"\n\n[[rules]]\nrule = "finite-weights"\n'
WARNING = '[[rules]]\nrule = "same-weights"\nlevel = "warning"\n'


@pytest.fixture(autouse=True)
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a model and rules on main, and no pipeline around."""
    for name in ("GITHUB_ACTIONS", "GITHUB_EVENT_NAME", "GITHUB_TOKEN", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    top = tmp_path / "origin"
    top.mkdir()
    monkeypatch.chdir(top)
    git(top, "init", "--quiet")
    git(top, "config", "uploadpack.allowFilter", "true")
    git(top, "config", "uploadpack.allowAnySHA1InWant", "true")
    store(network()[0])
    (top / ".kvcs.toml").write_text(RULES)
    commit_all(top, "First")
    return top


def change(edit: Callable[[Network], object] | None = None) -> tuple[str, str]:
    """Commit a change to a branch; return the hashes of main and of the branch."""
    git(Path(), "checkout", "--quiet", "-b", "topic")
    new, _ = network()
    (edit or (lambda one: one.nudge([2])))(new)
    store(new)
    head = commit_all(Path(), "Change")
    git(Path(), "checkout", "--quiet", "main")
    Path("other").write_text("moved on")
    return commit_all(Path(), "Move on"), head


def widened(new: Network) -> None:
    new.layers[new.outputs[0]].config["units"] = 9
    new.reshape()


class Workflow:
    """A workflow of GitHub: its event, its files, and what it sets for its steps."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self._patch = monkeypatch
        directory.mkdir()
        self.set(
            GITHUB_ACTIONS="true", GITHUB_REPOSITORY="owner/name", KVCS_OUTPUT=str(self.results),
            GITHUB_OUTPUT=str(directory / "output"),
            GITHUB_STEP_SUMMARY=str(directory / "summary"),
        )  # fmt: skip

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self._patch.setenv(name, value)

    def event(self, name: str, document: Any) -> None:
        path = self.directory / "event.json"
        path.write_text(json.dumps(document))
        self.set(GITHUB_EVENT_NAME=name, GITHUB_EVENT_PATH=str(path))

    def pull_request(self, base: str, head: str, fork: int = 20) -> None:
        pull = {
            "number": 5,
            "base": {"sha": base, "repo": {"id": 20}},
            "head": {"sha": head, "repo": {"id": fork}},
        }
        self.event("pull_request", {"pull_request": pull})

    @property
    def results(self) -> Path:
        return self.directory / "results"

    def result(self, name: str) -> str:
        return (self.results / name).read_text(encoding="utf-8")

    def outputs(self) -> dict[str, str]:
        lines = iter((self.directory / "output").read_text().splitlines())
        found = {}
        for line in lines:
            name, _, delimiter = line.partition("<<")
            found[name] = "\n".join(iter(lambda end=delimiter: next(lines), delimiter))
        return found


@pytest.fixture
def workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workflow:
    return Workflow(tmp_path / "workflow", monkeypatch)


def analyse(*arguments: str) -> Done:
    return kvcs("ci", "analyse", *arguments)


class TestAnalysing:
    def test_a_pull_request(self, workflow: Workflow) -> None:
        base, head = change()
        workflow.pull_request(base, head)
        done = analyse()
        assert done == (0, "CLEAR: no rule is broken; 1 of 1 model changed\n", "")
        comment = workflow.result("comment.md")
        assert comment.startswith(f"{MARKER}\n## ✅ Models: CLEAR\n\nno rule is broken; ")
        assert f"\nRules: 2 of `{base[:12]}:.kvcs.toml`\n" in comment
        assert "### `models/net`: **FINE-TUNE**: " in comment
        assert f"kvcs diff {base[:12]}...{head[:12]}" in comment
        assert workflow.result("summary.md") == comment.removeprefix(f"{MARKER}\n")
        assert (workflow.directory / "summary").read_text() == workflow.result("summary.md")
        assert json.loads(workflow.result("status.json")) == {
            "format": "kvcs.ci/1", "status": "clear", "changed": True, "base": base, "head": head,
        }  # fmt: skip
        jsonschema.validate(json.loads(workflow.result("check.json")), schema())
        assert json.loads(workflow.result("check.sarif"))["version"] == "2.1.0"

    def test_tells_what_came_out(self, workflow: Workflow) -> None:
        workflow.pull_request(*change())
        analyse()
        place = workflow.results
        report = place / "report.html"
        assert workflow.outputs() == {
            "changed": "true",
            "review-status": "clear",
            "report-path": str(report) if report.exists() else "",
            "comment-path": f"{place}/comment.md",
            "summary-path": f"{place}/summary.md",
            "check-path": f"{place}/check.json",
            "sarif-path": f"{place}/check.sarif",
        }

    def test_a_blocked_one(self, workflow: Workflow) -> None:
        workflow.pull_request(*change(widened))
        done = analyse()
        assert done.code == 1
        first, *_, last = done.lines
        assert first.startswith("::error file=models/net/model.json,title=kvcs%3A same-interface ")
        assert last == "BLOCKED: 1 error; 1 of 1 model changed"
        assert workflow.outputs()["review-status"] == "blocked"
        assert "| ⛔ error | `models/net` | `same-interface` | " in workflow.result("comment.md")
        assert analyse("--fail-on", "never").code == 0

    def test_its_own_rules_do_not_judge_it(self, workflow: Workflow) -> None:
        def relaxed(new: Network) -> None:
            widened(new)
            Path(".kvcs.toml").write_text("")

        workflow.pull_request(*change(relaxed))
        assert analyse().code == 1
        assert "the rules are changed; here, the old ones hold" in workflow.result("comment.md")

    def test_nothing_changed(self, workflow: Workflow, origin: Path) -> None:
        head = git(origin, "rev-parse", "HEAD")
        workflow.pull_request(head, head)
        assert analyse().code == 0
        assert workflow.outputs()["changed"] == "false"
        assert "No model changed." in workflow.result("comment.md")

    def test_some_directories(self, workflow: Workflow) -> None:
        workflow.pull_request(*change())
        workflow.set(KVCS_PATHS="models\n\n")
        assert analyse().code == 0
        workflow.set(KVCS_PATHS="other")
        done = analyse()
        assert (done.code, done.err) == (2, "kvcs: other holds no model on either side\n")

    def test_given_revisions(self, tmp_path: Path) -> None:
        change(widened)
        done = analyse("--base", "main", "--head", "topic", "--output", str(tmp_path / "here"))
        assert (done.code, done.err) == (1, "")
        assert done.lines[0] == "BLOCKED: 1 error; 1 of 1 model changed"
        assert done.lines[1].startswith("  error    models/net  same-interface  outputs.0 ")
        assert (tmp_path / "here" / "comment.md").exists()

    def test_what_could_not_run_is_not_clear(self, workflow: Workflow, origin: Path) -> None:
        workflow.pull_request(*change())
        analyse()
        (origin / ".kvcs.toml").write_text("[[rules]]\n")
        workflow.pull_request(commit_all(origin), git(origin, "rev-parse", "topic"))
        done = analyse()
        assert done.code == 2
        assert "rules[0]: rule is missing" in done.err
        comment = workflow.result("comment.md")
        assert comment.startswith(f"{MARKER}\n## ⚠️ Models: REVIEW\n\nthey could not be compared")
        assert json.loads(workflow.result("status.json"))["status"] == "review"
        assert workflow.outputs()["review-status"] == "review"
        assert workflow.outputs()["check-path"] == ""
        assert not (workflow.results / "check.json").exists()

    def test_a_fault_of_kvcs_is_not_clear_either(
        self, workflow: Workflow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*arguments: object, **options: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("kvcs.commands.ci.analyse.diff_all", fail)
        workflow.pull_request(*change(widened))
        assert analyse().code == 2
        status = json.loads(workflow.result("status.json"))
        assert (status["status"], status["changed"]) == ("review", True)
        assert status["error"] == "kvcs itself failed; the log of the job says how"

    def test_nowhere(self) -> None:
        done = analyse("--output", "out")
        assert done.code == 2
        assert "say with --base and --head what to compare" in done.err


class TestShallowClones:
    def clone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: Path) -> Path:
        place = tmp_path / "clone"
        git(tmp_path, "clone", "--quiet", "--depth=1", origin.as_uri(), str(place))
        monkeypatch.chdir(place)
        return place

    def test_what_is_missing_is_fetched(
        self, workflow: Workflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: Path
    ) -> None:
        workflow.pull_request(*change())
        self.clone(tmp_path, monkeypatch, origin)
        done = analyse()
        assert (done.code, done.out) == (0, "CLEAR: no rule is broken; 1 of 1 model changed\n")
        assert "### `models/net`: **FINE-TUNE**: " in workflow.result("comment.md")

    def test_or_it_is_said(
        self, workflow: Workflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: Path
    ) -> None:
        workflow.pull_request(*change())
        place = self.clone(tmp_path, monkeypatch, origin)
        git(place, "remote", "set-url", "origin", str(tmp_path / "gone"))
        done = analyse()
        assert done.code == 2
        assert "this clone lacks the history that is compared" in done.err
        assert "fetch-depth: 0" in done.err

    def test_of_gitlab(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: Path) -> None:
        _, head = change(widened)
        (origin / ".kvcs.toml").write_text(WARNING)  # the rules are those of the newest commit
        base = commit_all(origin)
        self.clone(tmp_path, monkeypatch, origin)
        for name, value in {
            "GITLAB_CI": "true",
            "CI_MERGE_REQUEST_IID": "5",
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            "CI_COMMIT_SHA": head,
        }.items():
            monkeypatch.setenv(name, value)
        done = analyse("--fail-on", "review")
        assert (done.code, done.lines[0]) == (1, "REVIEW: 1 warning; 1 of 1 model changed")
        status = json.loads(Path("kvcs-review/status.json").read_text())
        assert (status["base"], status["head"]) == (base, head)


class TestCommenting:
    @pytest.fixture
    def forge(self, workflow: Workflow) -> Iterator[Forge]:
        with Forge() as found:
            workflow.set(
                GITHUB_API_URL=found.url,
                GITHUB_GRAPHQL_URL=f"{found.url}/graphql",
                GITHUB_TOKEN=found.token,
            )
            workflow.results.mkdir()
            (workflow.results / "comment.md").write_text(f"{MARKER}\nall is well\n")
            yield found

    def comment(self, workflow: Workflow) -> Done:
        return kvcs("ci", "comment", str(workflow.results))

    def run(self, sha: str = "a" * 40) -> dict[str, Any]:
        return {
            "workflow_run": {
                "event": "pull_request",
                "head_sha": sha,
                "head_branch": "topic",
                "head_repository": {"id": 30, "owner": {"login": "stranger"}},
            }
        }

    def pull(self, sha: str = "a" * 40) -> dict[str, Any]:
        return {
            "number": 5, "state": "open", "label": "stranger:topic",
            "head": {"sha": sha, "repo": {"id": 30}}, "base": {"repo": {"full_name": "owner/name"}},
        }  # fmt: skip

    def test_of_a_fork(self, workflow: Workflow, forge: Forge) -> None:
        forge.pulls = [self.pull()]
        workflow.event("workflow_run", self.run())
        assert self.comment(workflow) == (0, "The comment was created.\n", "")
        assert self.comment(workflow) == (0, "The comment was unchanged.\n", "")
        (workflow.results / "comment.md").write_text(f"{MARKER}\nor not\n")
        assert self.comment(workflow) == (0, "The comment was updated.\n", "")
        assert forge.bodies() == [f"{MARKER}\nor not\n"]

    def test_the_artifact_does_not_say_where(self, workflow: Workflow, forge: Forge) -> None:
        (workflow.results / "status.json").write_text('{"number": 5}')
        workflow.event("workflow_run", self.run())
        done = self.comment(workflow)
        assert done.out.startswith("No comment: the pull request is closed, or was pushed to")
        assert forge.comments == []

    @pytest.mark.parametrize("text", ["@team look", "see #1", "[x](https://example.org)", "<b>"])
    def test_nor_speaks_to_anybody(self, workflow: Workflow, forge: Forge, text: str) -> None:
        (workflow.results / "comment.md").write_text(f"{MARKER}\n{text}\n")
        forge.pulls = [self.pull()]
        workflow.event("workflow_run", self.run())
        done = self.comment(workflow)
        assert done.code == 2
        assert "which kvcs does not write" in done.err
        assert forge.requests == []

    def test_of_a_branch(self, workflow: Workflow, forge: Forge) -> None:
        workflow.pull_request("a" * 40, "b" * 40)
        assert self.comment(workflow).out == "The comment was created.\n"

    def test_a_fork_may_not(self, workflow: Workflow, forge: Forge) -> None:
        workflow.pull_request("a" * 40, "b" * 40, fork=30)
        assert self.comment(workflow).out.startswith("No comment: the token of a fork's")
        assert forge.requests == []

    def test_other_events(self, workflow: Workflow, forge: Forge) -> None:
        workflow.event("push", {})
        assert "comments are written on workflow_run" in self.comment(workflow).err

    def test_a_refusal_does_not_tell_the_token(self, workflow: Workflow, forge: Forge) -> None:
        workflow.set(GITHUB_TOKEN="s3cret")
        workflow.pull_request("a" * 40, "b" * 40)
        done = self.comment(workflow)
        assert done.code == 2
        assert "(401)" in done.err
        assert "s3cret" not in done.err + done.out

    def test_of_gitlab(self, workflow: Workflow, forge: Forge) -> None:
        workflow.set(
            GITLAB_CI="true", CI_API_V4_URL=f"{forge.url}/api/v4", KVCS_GITLAB_TOKEN=forge.token,
            CI_MERGE_REQUEST_PROJECT_ID="3", CI_MERGE_REQUEST_IID="5",
        )  # fmt: skip
        assert self.comment(workflow).out == "The comment was created.\n"
        assert self.comment(workflow).out == "The comment was unchanged.\n"
        workflow.set(CI_MERGE_REQUEST_IID="../6")
        assert "is for no merge request" in self.comment(workflow).err


class TestHostileModels:
    @pytest.mark.parametrize("name", ["@team</script>#1|`", "::set-output\n%0A", "x" * 5000])
    def test_what_is_written_of_them_is_harmless(
        self, workflow: Workflow, forge_of: Callable[[], Forge], origin: Path, name: str
    ) -> None:
        def edit(new: Network) -> None:
            widened(new)
            new.layers[2].config["activation"] = name
            new.layers[2].config[name] = name
            new.training = {name: name}
            store(network()[0], Path(f"models/{name[:100].replace('/', '')}"))

        rules = "".join(f'[[rules]]\nrule = "same-{one}"\n' for one in ("config", "training"))
        (origin / ".kvcs.toml").write_text(f'{RULES}{rules}[[rules]]\nrule = "size"\ntensor = 1\n')
        commit_all(origin)
        workflow.pull_request(*change(edit))
        done = analyse()
        assert done.code == 1
        assert len(done.lines) > 5
        assert all(line.startswith(("::error ", "BLOCKED: ")) for line in done.lines)
        forge = forge_of()
        workflow.set(
            GITHUB_API_URL=forge.url, GITHUB_GRAPHQL_URL=f"{forge.url}/graphql",
            GITHUB_TOKEN=forge.token,
        )  # fmt: skip
        done = kvcs("ci", "comment", str(workflow.results))
        assert done == (0, "The comment was created.\n", "")

    @pytest.fixture
    def forge_of(self) -> Iterator[Callable[[], Forge]]:
        with Forge() as found:
            yield lambda: found


class TestLimits:
    def test_of_a_summary_are_bytes(
        self, workflow: Workflow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(results, "SUMMARY_LIMIT", 900)
        workflow.pull_request(*change(widened))
        analyse()
        assert len(workflow.result("summary.md").encode()) <= 900
        assert len(workflow.result("comment.md").encode()) > 900
