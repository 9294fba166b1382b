"""kill -9 at every step of a save, a commit, and of what `kvcs init` does and takes back.

`tests/killing.py` does the work and looks at what is left. The tests here that are not slow look at
every so many steps, the slow ones at all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds orphans as Linux does")

KILLING = Path(__file__).with_name("killing.py")
Found = list[dict[str, Any]]
WHO = ["alone", "together"]


def killed(top: Path, job: str, *, first: int = 1, stride: int = 1, who: str = "alone") -> Found:
    """Return what was found after a kill at each of some steps; the last is not killed."""
    command = [sys.executable, "-W", "error", str(KILLING), job, str(top), str(first), str(stride)]
    done = subprocess.run([*command, who], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found: Found = json.loads(done.stdout)
    assert len(found) > 2
    return found


def once(values: list[Any]) -> list[Any]:
    """Return the values as they come, each once for all that follow one another."""
    return [value for at, value in enumerate(values) if not at or value != values[at - 1]]


def check_saved(found: Found) -> None:
    """The directory is the old or the new model, from some step on always the new one."""
    assert [each["problems"] for each in found] == [[]] * len(found)
    assert len(once([each["directory"] for each in found])) <= 2


def check_committed(found: Found, who: str) -> None:
    check_saved(found)
    check_history(found)
    if who == "alone":  # whoever commits next need not do anything
        assert not [each for each in found if "refused" in each]


def check_history(found: Found) -> None:
    """The old or the new commit, and what others staged and changed is as it was."""
    assert {str(each["fsck"]) for each in found} == {"[0, []]"}
    assert {str(each["others"]) for each in found} == {"[' M other.txt', 'A  notes.txt']"}
    seen = [(each["committed"], each["commits"]) for each in found]
    assert seen[-1][0] == found[-1]["directory"]
    assert len(set(seen)) <= 2
    assert {commits for _, commits in seen} <= {"1", "2"}
    refused = [each["refused"] for each in found if "refused" in each]
    assert all(".lock" in sentence for sentence in refused), refused


def check_set_up(found: Found) -> None:
    """A hook is there that leads to the user's own, and the attributes are the old or the new."""
    assert {str(each["hook"]) for each in found} == {"[0, True, True]"}
    assert {each["first"] for each in found} == {"*.txt text"}
    assert len(once([each["attributes"] for each in found])) <= 2
    assert {each["status"] for each in found} == {""}


def test_a_save(tmp_path: Path) -> None:
    check_saved(killed(tmp_path, "save", stride=7))


def test_a_checkout(tmp_path: Path) -> None:
    found = killed(tmp_path, "checkout", stride=7)
    assert all(each["whole"] for each in found)
    assert len(once([each["size"] for each in found])) == 2


def test_a_commit(tmp_path: Path) -> None:
    check_committed(killed(tmp_path, "commit", first=40, stride=29), "alone")


def test_a_commit_that_writes_a_pack(tmp_path: Path) -> None:
    check_committed(killed(tmp_path, "commit-large", first=50, stride=53), "alone")


@pytest.mark.parametrize("job", ["init", "undo"])
def test_a_set_up(tmp_path: Path, job: str) -> None:
    check_set_up(killed(tmp_path, job, first=20, stride=61))


@pytest.mark.slow
def test_a_save_at_every_step(tmp_path: Path) -> None:
    check_saved(killed(tmp_path, "save"))


@pytest.mark.slow
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("job", ["commit", "commit-large"])
def test_a_commit_at_many_steps(tmp_path: Path, job: str, who: str) -> None:
    """At every step in one case, and at every third in the others."""
    every = (job, who) == ("commit", "alone")
    found = killed(tmp_path, job, stride=1 if every else 3, who=who)
    assert len(found) > (200 if every else 80)
    check_committed(found, who)


@pytest.mark.slow
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("job", ["init", "undo"])
def test_a_set_up_at_many_steps(tmp_path: Path, job: str, who: str) -> None:
    found = killed(tmp_path, job, stride=3, who=who)
    assert len(found) > 20
    check_set_up(found)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_200_kills_at_any_time(tmp_path: Path, seed: int) -> None:
    """Also in the middle of a git program, which leaves its own locks then."""
    for job, many in (("save", 8), ("commit", 22), ("init", 10)):
        (tmp_path / job).mkdir()
        found = killed(tmp_path / job, job, first=seed, stride=many, who="anytime")
        if job == "save":
            assert [each["problems"] for each in found] == [[]] * len(found)
        elif job == "commit":
            check_history(found)
        else:
            assert {str(each["hook"]) for each in found} == {"[0, True, True]"}
            assert {each["first"] for each in found} == {"*.txt text"}
