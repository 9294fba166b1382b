"""The YAML that pipelines read: it calls `kvcs ci`, pastes nothing into scripts, and pins all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli import kvcs

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
DOCUMENT = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
TEMPLATE = list(yaml.safe_load_all((ROOT / "templates/kvcs.yml").read_text(encoding="utf-8")))


def examples() -> list[Any]:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    return [yaml.safe_load(block) for block in blocks]


def steps_of(workflow: Any) -> list[dict[str, Any]]:
    return [step for job in workflow.get("jobs", {}).values() for step in job["steps"]]


class TestAction:
    def test_nothing_is_pasted_into_a_script(self) -> None:
        scripts = [step["run"] for step in STEPS if "run" in step]
        assert len(scripts) == 3
        assert not any("${{" in script for script in scripts)

    def test_scripts_only_call(self) -> None:
        assert [step["run"] for step in STEPS[1:] if "run" in step] == [
            '"$VENV/bin/kvcs" ci analyse', '"$VENV/bin/kvcs" ci comment "$DIRECTORY"',
        ]  # fmt: skip
        assert kvcs("ci", "analyse", "--help").code == kvcs("ci", "comment", "--help").code == 0

    def test_the_token_is_for_the_comment_alone(self) -> None:
        assert [step["name"] for step in STEPS if "inputs.token" in str(step)] == ["Comment"]
        assert STEPS[-1]["if"] == "inputs.comment != ''"

    @pytest.mark.parametrize("part", ["inputs", "outputs"])
    def test_inputs_and_outputs_are_described(self, part: str) -> None:
        for name, each in ACTION[part].items():
            assert each["description"]
            assert f"`{name}`" in DOCUMENT

    def test_outputs_are_those_that_are_told(self) -> None:
        from kvcs.commands.ci.analyse import outputs

        told = outputs({}, "clear", False)
        assert list(told) == list(ACTION["outputs"])
        for name, each in ACTION["outputs"].items():
            assert each["value"] == f"${{{{ steps.analyse.outputs.{name} }}}}"


@pytest.mark.parametrize(
    "step", [*STEPS, *(step for one in examples() for step in steps_of(one))], ids=str
)
def test_actions_are_pinned(step: dict[str, Any]) -> None:
    used = step.get("uses", "")
    assert not used or used == "OWNER/kvcs@COMMIT" or re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", used)


class TestExamples:
    analysing, commenting, gitlab = examples()

    def test_what_looks_may_not_write(self) -> None:
        assert self.analysing[True] == "pull_request"  # YAML 1.1 takes `on` for true
        assert self.analysing["permissions"] == {"contents": "read"}
        assert "token" not in str(self.analysing)

    def test_what_writes_does_not_look(self) -> None:
        assert list(self.commenting[True]) == ["workflow_run"]
        assert self.commenting["permissions"] == {"actions": "read", "pull-requests": "write"}
        used = [step["uses"].partition("@")[0] for step in steps_of(self.commenting)]
        assert used == ["actions/download-artifact", "OWNER/kvcs"]
        assert not any("run" in step for step in steps_of(self.commenting))

    def test_inputs_exist(self) -> None:
        for workflow in (self.analysing, self.commenting):
            assert set(steps_of(workflow)[-1]["with"]) <= set(ACTION["inputs"])
        assert set(self.gitlab["include"][0]["inputs"]) <= set(TEMPLATE[0]["spec"]["inputs"])


def test_python_imports_nothing_from_where_it_is() -> None:
    scripts = [step.get("run", "") for step in STEPS]
    scripts += [line for job in TEMPLATE[1].values() for line in job["script"]]
    called = [line for script in scripts for line in script.splitlines() if "python" in line]
    assert len(called) == 6
    assert all(re.search(r'python3? -I -m |python" -I -m ', line) for line in called)


class TestTemplate:
    spec, jobs = TEMPLATE

    def test_inputs_are_those_of_the_action(self) -> None:
        wanted = {"base", "head", "paths", "fail-on", "comment"}
        assert wanted <= set(self.spec["spec"]["inputs"])
        assert wanted <= set(ACTION["inputs"])
        assert all(each["description"] for each in self.spec["spec"]["inputs"].values())

    def test_nothing_is_pasted_into_a_script(self) -> None:
        scripts = [line for job in self.jobs.values() for line in job["script"]]
        assert not any("$[[" in line for line in scripts)
        assert scripts[-1] == "/tmp/kvcs/bin/kvcs ci comment kvcs-review"

    def test_what_writes_does_not_look(self) -> None:
        assert self.jobs["kvcs-comment"]["variables"]["GIT_STRATEGY"] == "none"
        assert "env -u KVCS_GITLAB_TOKEN " in self.jobs["kvcs"]["script"][-1]
