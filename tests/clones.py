"""A stored model that is published in git, with Git LFS or without, and clones that lack parts."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from cli import dense, image, small, store, weight
from gitrepo import begin, commit_all, git

from kvcs.spec import LayerSpec, StoredModel, TensorRef
from kvcs.tree import reader
from kvcs.workdir import Directory

needs_lfs = pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")

LAYERS = 4
WIDTH = 32  # a kernel is larger than a pointer may be, a bias is not
LFS = "*.npy filter=lfs diff=lfs merge=lfs -text\n"


def stack(width: int = WIDTH) -> StoredModel:
    """Describe a model of several dense layers; a tensor of each kind for each."""
    entries = [image()]
    for number in range(LAYERS):
        entry = dense(f"dense_{number}", source=entries[-1].name)
        assert isinstance(entry.layer, LayerSpec)
        tensors = {
            "bias": weight("bias", width + number),
            "kernel": weight("kernel", width, width + number),
        }
        layer = replace(entry.layer, tensors=tensors)
        entries.append(replace(entry, path=f"layers/dense_{number}", layer=layer))
    found = small()
    outputs = [TensorRef(entries[-1].name, 0, 0)]
    model = replace(found.model, layers=tuple(entries), outputs=outputs)
    return replace(found, model=model)


def publish(
    place: Path, *, lfs: bool, url: str | None = None, templates: Path | None = None
) -> Path:
    """Make a remote that holds two versions of the model, `v1` and `v2`; return its path.

    Args:
        place: what it and its author stand in.
        lfs: whether tensors are objects of Git LFS.
        url: the server they are at; None for the remote itself.
        templates: the fixture of this name, where the same is published for many tests.
    """
    remote, author = place / "remote.git", place / "author"
    if templates is None:
        _publish(remote, author, lfs=lfs, url=url)
    else:
        template = templates / ("published with lfs" if lfs else "published")
        begin(template, (remote, author), lambda: _publish(remote, author, lfs=lfs, url=url))
        git(author, "remote", "set-url", "origin", remote.as_uri())
    return remote


def _publish(remote: Path, author: Path, *, lfs: bool, url: str | None) -> None:
    remote.mkdir(parents=True)
    git(remote, "init", "--quiet", "--bare")
    git(remote, "config", "uploadpack.allowFilter", "true")
    git(remote, "config", "uploadpack.allowAnySHA1InWant", "true")
    author.mkdir()
    git(author, "init", "--quiet")
    git(author, "remote", "add", "origin", remote.as_uri())
    if lfs:
        git(author, "lfs", "install", "--local")
        (author / ".gitattributes").write_text(LFS)
    if url:
        (author / ".lfsconfig").write_text(f"[lfs]\n\turl = {url}\n\tlocksverify = false\n")
    for number in (1, 2):
        store(author / "m", stack(), bias=float(number))
        commit_all(author, f"Version {number}")
        git(author, "tag", f"v{number}")
    git(author, "push", "--quiet", "origin", "main", "v1", "v2")


def clone(remote: Path, *options: str, lfs: bool = False) -> Path:
    """Clone without the objects of Git LFS; they can be fetched if `lfs` is true."""
    place = remote.parent / "clone"
    git(remote.parent, "clone", "--quiet", *options, remote.as_uri(), str(place))
    if lfs:
        git(place, "lfs", "install", "--local", "--skip-smudge")
    return place


def whole(remote: Path) -> dict[str, bytes]:
    """Return the second version of the model as its author has it."""
    return dict(Directory(remote.parent / "author" / "m"))


def tensors(remote: Path) -> set[str]:
    """Return the paths of its tensors."""
    return {path for path in whole(remote) if path.endswith(".npy")}


def contents(files: Mapping[str, bytes]) -> dict[str, object]:
    """Read every tensor of a model, checked."""
    found = reader.Contents(files, reader.read(files, "m"), "m")
    return {path: get() for path, get in found.items()}


def objects(repository: Path) -> set[str]:
    """Return the ids of the LFS objects that a repository has."""
    folder = repository / "lfs" if repository.suffix == ".git" else repository / ".git/lfs"
    return {path.name for path in (folder / "objects").rglob("*") if path.is_file()}


@contextmanager
def commands(log: Path) -> Iterator[list[str]]:
    """Collect the names of the git commands that are run meanwhile, by git itself too.

    What git starts that is no part of it is there as a whole line.
    """
    found: list[str] = []
    with patch.dict(os.environ, {"GIT_TRACE2_EVENT": str(log)}):
        yield found
    if log.exists():
        events = [json.loads(line) for line in log.read_text().splitlines()]
        found += [event["name"] for event in events if event["event"] == "cmd_name"]
        found += [" ".join(event["argv"]) for event in events if event["event"] == "child_start"]
        log.unlink()
