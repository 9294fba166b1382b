"""Two versions of a model with ten large tensors are compared with room for two of them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cli import dense, image, small, store, weight
from gitrepo import commit_all, git

from kvcs import workdir
from kvcs.spec import StoredModel
from kvcs.tree import writer
from kvcs.tree.reader import tensors

MEGA = 2**20
WIDTH, DEPTH = 2896, 10
TENSOR = WIDTH * WIDTH * 4
MARGIN = 24 * MEGA  # blocks of work, and what allocators keep

CLEAR = Path("/proc/self/clear_refs")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CLEAR.exists(), reason="The peak can be measured on Linux alone."),
]

MEASURE = f"""
import json, sys
from pathlib import Path
import kvcs

def memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))

kvcs.diff("HEAD~1:small", "small")
Path("{CLEAR}").write_text("5")  # forget the peak there was
before = memory("VmRSS")
found = kvcs.diff("HEAD~1:large", sys.argv[1])
print(json.dumps([memory("VmHWM") - before, found.summary["weights"]]))
"""


def large() -> StoredModel:
    """Describe a model with a few layers that have one large matrix each."""
    layers = [
        replace(
            entry := dense(f"dense_{number}"),
            path=f"layers/dense_{number}",
            layer=replace(entry.layer, tensors={"kernel": weight("kernel", WIDTH, WIDTH)}),
        )
        for number in range(DEPTH)
    ]
    found = small()
    return replace(found, model=replace(found.model, layers=(image(), *layers)), optimizer={})


def write(root: Path, nudge: float) -> None:
    model = large()
    arrays = {path: partial(values, number, nudge) for number, path in enumerate(paths(model))}
    workdir.replace(root / "large", writer.files(model, arrays))
    store(root / "small", bias=nudge)


def paths(model: StoredModel) -> list[str]:
    return [path for path, _ in tensors(model)]


def values(seed: int, nudge: float) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((WIDTH, WIDTH), "float32")
    return found + np.float32(nudge) * found[::-1]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("memory")
    git(root, "init", "--quiet")
    for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        git(root, "config", key, value)
    git(root, "config", "core.compression", "0")
    for nudge in (0.0, 0.01):
        write(root, nudge)
        commit_all(root)
    return root


@pytest.mark.parametrize("new", ["large", "HEAD:large"])
def test_comparing_takes_two_tensors(root: Path, new: str) -> None:
    run = [sys.executable, "-W", "ignore", "-c", MEASURE, new]
    done = subprocess.run(run, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr
    peak, changed = json.loads(done.stdout)
    print(f"{peak / MEGA:.0f} MB over the start, a tensor is {TENSOR / MEGA:.0f} MB")
    assert changed == DEPTH
    assert peak <= 2 * TENSOR + MARGIN
