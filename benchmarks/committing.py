"""How long kvcs takes to bring a model into git and out again, by what people use today.

    python benchmarks/committing.py [--rounds N] [--size MB] [--live] [JOB]...

Jobs: `first` and `next` (a commit of everything, and of 2 tensors of 100), `push`, `check` (verify
and digest against sha256sum), and, with `--live`, the same from and to a live Keras model: `save`
and `resave` (a model saved and committed), and `load`. Whole processes are timed from start to
exit, but for the live jobs, where Keras is imported and the model built already. The contestants
take turns; the best of several rounds counts for the ratios, which say how many times as long the
other one takes: by the clock, and in processor time, which other work on the machine and the speed
of the disk do not change. git-lfs and dvc take part where they are on PATH.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kvcs.spec import ClassRef, LayerEntry, LayerSpec, ModelSpec, StoredModel, TensorSpec
from kvcs.tree import writer
from kvcs.workdir import replace

TENSORS = 100
KVCS = [sys.executable, "-m", "kvcs"]

# What a commit that checks a model and packs it has to do to each byte: see `committing`.
LIMIT = """
import hashlib, os, sys, zlib
from pathlib import Path
pack = hashlib.sha1()
with open("../limit", "wb") as file:
    for path in sorted(Path("model").rglob("*.npy")):
        data = path.read_bytes()
        hashlib.sha256(data), hashlib.sha1(data), pack.update(data)
        zlib.adler32(data), zlib.crc32(data), file.write(data)
    file.flush()
    os.fsync(file.fileno())
os.remove("../limit")
"""
DEFLATE_NOTHING = ["-c", "core.compression=0", "-c", "core.bigFileThreshold=512k"]

Step = Callable[[], Any]


@dataclass
class Contestant:
    """One way to do a job: what is timed, and what comes before it, untimed."""

    name: str
    prepare: Step
    work: Step


class Place:
    """A directory for the repositories of the benchmark, and a git that knows nobody's settings."""

    def __init__(self, root: Path, megabytes: int) -> None:
        self.root = root
        self.side = int((megabytes * 1e6 / TENSORS / 4) ** 0.5)
        os.environ.update(
            GIT_CONFIG_GLOBAL=str(root / "gitconfig"),
            GIT_CONFIG_NOSYSTEM="1",
            **{f"GIT_{who}_{key}": "bench@example.org" for who in ("AUTHOR", "COMMITTER")
               for key in ("NAME", "EMAIL")},
        )  # fmt: skip
        (root / "gitconfig").write_text("[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n")
        self.versions = [root / "version-1", root / "version-2"]

    def make_versions(self) -> None:
        """Write a model, and the same with two other tensors."""
        for directory, changed in zip(self.versions, (0, 2), strict=True):
            stored, contents = model(self.side, changed)
            replace(directory, writer.files(stored, contents))

    def repository(self, name: str) -> Path:
        """Make an empty repository in the place of the last one of that name."""
        root = self.root / name
        shutil.rmtree(root, ignore_errors=True)
        run(self.root, "git", "init", "--quiet", name)
        return root


def model(side: int, changed: int) -> tuple[StoredModel, dict[str, Callable[[], Any]]]:
    """Describe a network of dense layers; the first tensors are drawn anew."""
    layers = []
    contents = {}
    for number in range(TENSORS):
        path = f"layers/dense_{number}"
        contents[f"{path}/kernel.npy"] = draw(side, number + (1000 if number < changed else 0))
        kernel = TensorSpec(file="kernel.npy", dtype="float32", shape=(side, side), trainable=True)
        spec = LayerSpec(
            cls=ClassRef(module="keras.layers", name="Dense"),
            config={"units": side, "use_bias": False},
            tensors={"kernel": kernel},
        )
        layers.append(LayerEntry(name=f"dense_{number}", path=path, calls=(), layer=spec))
    whole = ModelSpec(
        cls=ClassRef(module="keras", name="Sequential"),
        config={},
        build="sequence",
        layers=tuple(layers),
    )
    return StoredModel(model=whole, name="sequential", keras_version="3.15.0"), contents


def draw(side: int, seed: int) -> Callable[[], Any]:
    """Return what draws a tensor: random float32, which no program deflates well."""
    return lambda: np.random.default_rng(seed).standard_normal((side, side), dtype=np.float32)


def run(directory: Path, *command: str) -> None:
    """Run a command to its end; it must not fail."""
    subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL)


def put(source: Path, target: Path) -> None:
    """Put a version of the model where another one may be; what is equal there is not touched."""
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif not place.exists() or place.read_bytes() != path.read_bytes():
            shutil.copyfile(path, place)


def git_commit(root: Path, path: str, *options: str) -> None:
    """Add and commit as everybody does."""
    run(root, "git", *options, "add", path)
    run(root, "git", "commit", "--quiet", "--message", "Train")


def kvcs_commit(root: Path) -> None:
    """Commit with kvcs, whole processes from start to exit."""
    run(root, *KVCS, "commit", "model", "-m", "Train")


def settle() -> None:
    """Let files become older than a second: git reads younger ones again, whoever asks."""
    os.sync()
    time.sleep(1.1)


def committing(place: Place, *, again: bool) -> Iterator[Contestant]:
    """Commit a directory, or one in which two tensors changed.

    The last line of the first commit is the limit: SHA-256 to check the model, SHA-1 for the name
    of each object and for the pack, the checksums of zlib and of the index of the pack, and the
    bytes on the disk. It takes one core where kvcs takes two, and leaves out what git itself does
    for a commit, and the start of Python with all that kvcs imports.
    """
    ways: dict[str, Callable[[Path], None]] = {
        "kvcs commit": kvcs_commit,
        "git add + commit": lambda root: git_commit(root, "model"),
        "the same, deflating nothing": lambda root: git_commit(root, "model", *DEFLATE_NOTHING),
    }
    for name, way in ways.items():
        yield _commit(place, name, way, again=again)
    if again:
        yield _keras_file(place)
    else:
        limit = lambda root: run(root, sys.executable, "-c", LIMIT)  # noqa: E731
        yield _commit(place, "hashes and bytes alone", limit, again=False)


def _commit(place: Place, name: str, way: Callable[[Path], None], *, again: bool) -> Contestant:
    def prepare() -> None:
        root = place.repository("repository")
        put(place.versions[0], root / "model")
        if again:
            settle()
            run(root, *KVCS, "commit", "model", "-m", "First")
            put(place.versions[1], root / "model")
        settle()

    return Contestant(name, prepare, lambda: way(place.root / "repository"))


def _keras_file(place: Place) -> Contestant:
    """One file for the whole model, as Keras writes it: a zip archive that deflates nothing."""

    def pack(version: Path) -> None:
        file = place.root / "repository" / "model"
        shutil.make_archive(str(file), "tar", version)
        file.with_suffix(".tar").rename(file.with_suffix(".keras"))

    def prepare() -> None:
        root = place.repository("repository")
        pack(place.versions[0])
        git_commit(root, "model.keras", *DEFLATE_NOTHING)
        pack(place.versions[1])
        settle()

    work = lambda: git_commit(place.root / "repository", "model.keras")  # noqa: E731
    return Contestant("git add + commit of one file", prepare, work)


def pushing(place: Place) -> Iterator[Contestant]:
    """Push the first commit to a bare repository beside it."""

    def prepare(way: Callable[[Path], None]) -> Step:
        def step() -> None:
            root = place.repository("repository")
            shutil.rmtree(place.root / "bare.git", ignore_errors=True)
            run(place.root, "git", "init", "--quiet", "--bare", "bare.git")
            put(place.versions[0], root / "model")
            way(root)
            settle()

        return step

    def push() -> None:
        run(place.root / "repository", "git", "push", "--quiet", "../bare.git", "HEAD:main")

    yield Contestant("git push after kvcs commit", prepare(kvcs_commit), push)
    plain = prepare(lambda root: git_commit(root, "model"))
    yield Contestant("git push after git commit", plain, push)


def checking(place: Place) -> Iterator[Contestant]:
    """Look at every byte of a model."""
    version = place.versions[0]
    files = [str(path) for path in version.rglob("*") if path.is_file()]

    def of(name: str, *command: str) -> Contestant:
        return Contestant(name, lambda: None, lambda: run(place.root, *command))

    yield of("kvcs verify", *KVCS, "verify", str(version))
    yield of("sha256sum", "sha256sum", *files)
    yield of("kvcs digest", *KVCS, "digest", str(version))


class Live:
    """A live Keras model, and the two versions of its weights."""

    def __init__(self, place: Place) -> None:
        os.environ.update(
            KERAS_BACKEND=os.environ.get("KERAS_BACKEND", "tensorflow"),
            TF_CPP_MIN_LOG_LEVEL="3",
            CUDA_VISIBLE_DEVICES="",
        )
        import keras

        self.keras, self.place = keras, place
        dense = [keras.layers.Dense(place.side, use_bias=False) for _ in range(TENSORS)]
        self.model = keras.Sequential([keras.Input((place.side,)), *dense])
        self.train(0)

    def train(self, changed: int) -> None:
        """Give the model its weights."""
        for number, weight in enumerate(self.model.weights):
            seed = number + (1000 if number < changed else 0)
            weight.assign(draw(self.place.side, seed)())

    def committing(self, *, again: bool) -> Iterator[Contestant]:
        """Save and commit the model, or the model with two other tensors."""
        for name, (set_up, way) in self._ways().items():
            prepare = self._prepare(set_up, way, again=again)
            yield Contestant(name, prepare, partial(way, self.place.root / "repository"))

    def _prepare(
        self, set_up: Callable[[Path], None], way: Callable[[Path], None], *, again: bool
    ) -> Step:
        def prepare() -> None:
            root = self.place.repository("repository")
            set_up(root)
            self.train(0)
            if again:
                way(root)
                self.train(2)
                settle()

        return prepare

    def _ways(self) -> dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]]:
        nothing = lambda root: None  # noqa: E731
        ways = {
            "kvcs.commit": (nothing, self._kvcs),
            "model.save + git": (nothing, lambda root: self._file(root, "model.keras")),
            "model.save + git, deflating nothing": (
                nothing,
                lambda root: self._file(root, "model.keras", *DEFLATE_NOTHING),
            ),
        }
        if shutil.which("git-lfs"):
            ways["model.save + git-lfs"] = (
                self._set_up_lfs,
                lambda root: self._file(root, "model.keras"),
            )
        if shutil.which("dvc"):
            ways["model.save + dvc + git"] = (self._set_up_dvc, self._dvc)
        return ways

    def _kvcs(self, root: Path) -> None:
        import kvcs

        kvcs.commit(self.model, root / "model", "Train")

    def _file(self, root: Path, path: str, *options: str) -> None:
        self.model.save(root / "model.keras")
        git_commit(root, path, *options)

    def _set_up_lfs(self, root: Path) -> None:
        run(root, "git", "lfs", "install", "--local")
        run(root, "git", "lfs", "track", "*.keras")
        git_commit(root, ".gitattributes")

    def _set_up_dvc(self, root: Path) -> None:
        run(root, "dvc", "init", "--quiet")
        git_commit(root, ".")

    def _dvc(self, root: Path) -> None:
        self.model.save(root / "model.keras")
        run(root, "dvc", "add", "--quiet", "model.keras")
        git_commit(root, "model.keras.dvc")

    def loading(self) -> Iterator[Contestant]:
        """Make a live model of the last commit."""
        root = self.place.repository("repository")
        self._file(root, "model.keras")
        self._kvcs(root)

        def ours() -> None:
            import kvcs

            here = Path.cwd()
            os.chdir(root)
            kvcs.load("HEAD:model")
            os.chdir(here)

        def theirs() -> None:
            file = self.place.root / "shown.keras"
            with file.open("wb") as output:
                command = ["git", "show", "HEAD~1:model.keras"]
                subprocess.run(command, cwd=root, stdout=output, check=True)
            self.keras.saving.load_model(file)

        yield Contestant("kvcs.load of a revision", lambda: None, ours)
        yield Contestant("git show + load_model", lambda: None, theirs)


@dataclass(frozen=True, order=True)
class Took:
    """Seconds by the clock, and of processors."""

    clock: float
    processor: float


def timed(contestants: list[Contestant], rounds: int) -> dict[str, list[Took]]:
    """Return what each contestant takes, round by round, in turns."""
    found: dict[str, list[Took]] = {contestant.name: [] for contestant in contestants}
    for _ in range(rounds):
        for contestant in contestants:
            contestant.prepare()
            start, used = time.perf_counter(), processor_time()
            contestant.work()
            clock = time.perf_counter() - start
            found[contestant.name].append(Took(clock, processor_time() - used))
    return found


def processor_time() -> float:
    """Return the processor time of this process and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def show(job: str, found: dict[str, list[Took]]) -> None:
    """Print a table: seconds, and the ratios to the first line."""
    head = f"{'best':>7} {'median':>7} {'ratio':>7} | {'processor':>9} {'ratio':>7}"
    print(f"\n{job:38} {head}")
    ours = next(iter(found.values()))
    best = Took(min(took.clock for took in ours), min(took.processor for took in ours))
    for name, times in found.items():
        clocks = [took.clock for took in times]
        processor = min(took.processor for took in times)
        clock = (
            f"{min(clocks):7.2f} {statistics.median(clocks):7.2f} {min(clocks) / best.clock:6.1f}x"
        )
        print(f"  {name:36} {clock} | {processor:9.2f} {processor / best.processor:6.1f}x")
    sys.stdout.flush()


def jobs(place: Place, *, live: bool) -> dict[str, tuple[str, Callable[[], Iterator[Contestant]]]]:
    """Return what each job is called, and who takes part."""
    found: dict[str, tuple[str, Callable[[], Iterator[Contestant]]]] = {
        "first": ("first commit", lambda: committing(place, again=False)),
        "next": ("2 of 100 tensors changed", lambda: committing(place, again=True)),
        "push": ("push to a bare repository", lambda: pushing(place)),
        "check": ("every byte looked at", lambda: checking(place)),
    }
    if live:
        model_in_memory = Live(place)
        found |= {
            "save": (
                "live model saved and committed",
                lambda: model_in_memory.committing(again=False),
            ),
            "resave": (
                "the same, 2 of 100 tensors changed",
                lambda: model_in_memory.committing(again=True),
            ),
            "load": ("live model from a revision", model_in_memory.loading),
        }
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("jobs", nargs="*", metavar="JOB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=250, help="of the model, in megabytes")
    parser.add_argument("--live", action="store_true", help="also from and to live models")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        place = Place(Path(root), given.size)
        place.make_versions()
        known = jobs(place, live=given.live)
        for name in given.jobs or known:
            title, contestants = known[name]
            show(title, timed(list(contestants()), given.rounds))


if __name__ == "__main__":
    main()
