"""A disk that is full, at every point of a command: one sentence, and all is as it was.

`tests/filling.py` does the work. Files that cannot grow stand for a disk that is full, everywhere;
where a small file system can be mounted, there is a real one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits files as Linux does")

FILLING = Path(__file__).with_name("filling.py")
JOBS = ["export", "commit", "commit-large", "checkout"]
IN_A_SMALL_PLACE = 'mount -t tmpfs -o size=12m none "$1" && shift && exec "$@"'
UNSHARED = ["unshare", "--mount", "sh", "-c", IN_A_SMALL_PLACE, "sh"]


def filled(top: Path, how: str, job: str, stride: int = 1) -> list[dict[str, Any]]:
    """Return what was found with ever more room; the last had enough."""
    command = [sys.executable, "-W", "error", str(FILLING), how, job, str(top), str(stride)]
    if how == "disk":
        command = [*UNSHARED, str(top), *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def check(found: list[dict[str, Any]]) -> None:
    """Every try but the last was refused in one sentence, changed nothing, and left nothing."""
    *refused, done = found
    assert (done["code"], done["said"]) == (0, "")
    assert len(refused) > 3
    for each in refused:
        assert each["code"] == 2, each
        assert each["said"].startswith("kvcs: "), each
        assert each["said"].count("\n") == 1, each
        assert each["changed"] == {}, each
        assert each["again"] == [0, ""], each
        assert each["left"] == [], each


@pytest.mark.parametrize("job", JOBS)
def test_files_that_cannot_grow(tmp_path: Path, job: str) -> None:
    check(filled(tmp_path, "limit", job, stride=5))


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS)
def test_files_of_many_sizes(tmp_path: Path, job: str) -> None:
    check(filled(tmp_path, "limit", job))


def can_mount(top: Path) -> bool:
    done = subprocess.run([*UNSHARED, str(top), "true"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS)
def test_a_small_file_system(tmp_path: Path, job: str) -> None:
    if not can_mount(tmp_path):
        pytest.skip("nothing can be mounted here")
    check(filled(tmp_path, "disk", job))
