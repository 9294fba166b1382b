"""Two models as files, and ways to put them on disk and to look at what is there."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hypothesis import strategies as st

from kvcs.workdir import Buffer, Replaced, replace

OLD = {
    "model.json": b"{}\n",
    "training.json": b"[]\n",
    "layers/dense/layer.json": b"{}",
    "layers/dense/kernel.npy": bytes(range(9)) * 9,
    "layers/text/assets/words/vocabulary.txt": b"a\nb\n",
}
NEW = {
    **{path: data for path, data in OLD.items() if path != "training.json"},
    "model.json": b'{"new": 1}\n',
    "layers/head/bias.npy": b"",
}

stored_paths = st.builds(
    lambda above, name: "/".join([*above, name]),
    st.lists(st.sampled_from(["layers", "a", "é", "optimizer", "assets"]), max_size=3),
    st.sampled_from(["layer.json", "state.json", "kernel.npy", "a-b.npy", "é.npy"]),
)
stored_models = st.dictionaries(stored_paths, st.binary(max_size=4), max_size=6).map(
    lambda files: {"model.json": b"{}", **files}
)


def one_buffer_each(files: Mapping[str, bytes]) -> Iterator[tuple[str, Sequence[Buffer]]]:
    for path, data in files.items():
        yield path, [data]


def put(root: Path, files: Mapping[str, bytes]) -> Replaced:
    return replace(root, one_buffer_each(files))


def content(root: Path) -> dict[str, bytes]:
    """Read a directory without kvcs, as any other program would."""
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def status(top: Path) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path in (top, *top.rglob("*")):
        at = path.lstat()
        found[str(path)] = at.st_ino, at.st_mtime_ns, at.st_ctime_ns
    return found


def beside(root: Path) -> list[str]:
    return sorted(path.name for path in root.parent.iterdir() if path != root)


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
