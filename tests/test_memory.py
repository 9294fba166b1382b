"""A model of half a gigabyte is saved and loaded with room for one tensor besides it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

MEGA = 2**20
WIDTH, DEPTH = 5724, 4
TENSOR = WIDTH * WIDTH * 4
MODEL = DEPTH * TENSOR
MARGIN = 48 * MEGA  # code that is imported late, and what allocators keep

CLEAR = Path("/proc/self/clear_refs")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CLEAR.exists(), reason="The peak can be measured on Linux alone."),
]

# Each runs in a process of its own, for a process keeps much of what it once had.
MEASURE = f"""
import json, sys
from pathlib import Path
import keras, kvcs

def memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))

def measured(work):
    Path("{CLEAR}").write_text("5")  # forget the peak there was
    before = memory("VmRSS")
    result = work()
    return result, memory("VmHWM") - before

def built():
    layers = [keras.layers.Dense({WIDTH}, use_bias=False) for _ in range({DEPTH})]
    return keras.Sequential([keras.Input(({WIDTH},)), *layers])

def warm():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    kvcs.save(model, sys.argv[1] + "/small")
    kvcs.load(sys.argv[1] + "/small")

place = sys.argv[1] + "/model"
warm()
"""

SAVE = """
model, building = measured(built)
saving = measured(lambda: kvcs.save(model, place))[1]
again = measured(lambda: kvcs.save(model, place))[1]
print(json.dumps({"building": building, "saving": saving, "saving again": again}))
"""

LOAD = """
print(json.dumps({"loading": measured(lambda: kvcs.load(place))[1]}))
"""


@pytest.fixture(scope="module")
def peaks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Return by how many bytes the memory of a process grew in each step, at most."""
    place = str(tmp_path_factory.mktemp("memory"))
    found: dict[str, int] = {}
    for script in (SAVE, LOAD):
        run = [sys.executable, "-W", "ignore", "-c", MEASURE + script, place]
        done = subprocess.run(run, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found |= json.loads(done.stdout.splitlines()[-1])
    print({step: f"{peak / MEGA:.0f} MB" for step, peak in found.items()})
    return found


@pytest.mark.parametrize("step", ["saving", "saving again"])
def test_saving_takes_one_tensor(step: str, peaks: dict[str, int]) -> None:
    assert peaks[step] <= TENSOR + MARGIN


def test_loading_takes_the_model_and_one_tensor(peaks: dict[str, int]) -> None:
    assert peaks["loading"] <= max(MODEL, peaks["building"]) + TENSOR + MARGIN
