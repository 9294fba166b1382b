"""How long a report takes: to be written, and to be drawn by a browser that opens it.

    python benchmarks/reports.py [--rounds N] [--keep DIRECTORY] [NAME]...

Each network is compared with a version of it that has another head and was trained on a little.
`write` is `kvcs diff --format html` as a process of its own. `graph` is the time from the start of
the navigation until the graph is drawn, `expanded` that of drawing it with every layer. Headless
Chromium; the best of several rounds counts. `--keep` copies the pages to a directory.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Keras and TensorFlow read these once, at import.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from browser import CHROMIUM, DRIVER, Browser, chromium

MODELS = ("ResNet50", "EfficientNetB7")

# In a process of its own, for TensorFlow would take memory from the browser.
MAKE = """
import sys
import keras, numpy, kvcs
keras.utils.set_random_seed(1)
old = getattr(keras.applications, sys.argv[1])(weights=None)
old.compile("adam", "categorical_crossentropy")
kvcs.save(old, "old")
x = keras.layers.Dropout(0.3, name="head_dropout")(old.layers[-2].output)
x = keras.layers.Dense(10, activation="softmax", name="flowers")(x)
new = keras.Model(old.input, x, name=old.name)
random = numpy.random.default_rng(0)
for layer in new.layers[-14:-2]:
    for weight in layer.weights:
        noise = 1e-3 * random.standard_normal(weight.shape)
        weight.assign(weight + noise.astype(weight.dtype))
new.compile(keras.optimizers.SGD(0.01, momentum=0.9), "categorical_crossentropy")
kvcs.save(new, "new")
print(len(new.layers))
"""
DRAWN = "return performance.getEntriesByName('graph drawn').map((each) => each.startTime)"
EXPAND = """
const start = performance.now();
document.querySelector(".picture .tools button").click();
return performance.now() - start;
"""


def make(name: str, place: Path) -> int:
    """Save a network and its changed version; return the number of layers."""
    place.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAKE, name],
        cwd=place, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return int(done.stdout.split()[-1])


def write(place: Path) -> float:
    """Write the report; return the seconds it took."""
    command = [sys.executable, "-m", "kvcs", "diff", "old", "new", "--format", "html"]
    start = time.perf_counter()
    subprocess.run(
        [*command, "-o", "report.html"], cwd=place, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def opened(browser: Browser, page: Path) -> tuple[float, float]:
    """Open the report; return the seconds until its graph is drawn, and for all layers."""
    browser.open(page)
    while not (drawn := browser.run(DRAWN)):
        time.sleep(0.01)
    return drawn[0] / 1000, browser.run(EXPAND) / 1000


def row(name: str, place: Path, browser: Browser, rounds: int) -> str:
    """Measure, and return a line of the table."""
    layers = make(name, place)
    written = min(write(place) for _ in range(rounds))
    page = place / "report.html"
    times = [opened(browser, page) for _ in range(rounds)]
    drawn, expanded = (min(each) for each in zip(*times, strict=True))
    size = page.stat().st_size / 1e6
    return f"{name:16} {layers:6} {written:8.2f} {size:8.2f} {drawn:8.2f} {expanded:10.2f}"


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=MODELS, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    if not (CHROMIUM and DRIVER):
        sys.exit("this needs Debian's chromium and chromium-driver")
    print(f"{'':16} layers write, s page, MB graph, s expanded, s")
    with tempfile.TemporaryDirectory() as directory, chromium(Path(directory, "profile")) as found:
        for name in options.names:
            print(row(name, Path(directory, name), found, options.rounds), flush=True)
            if options.keep is not None:
                options.keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(directory, name, "report.html"), options.keep / f"{name}.html")


if __name__ == "__main__":
    main()
