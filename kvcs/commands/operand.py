"""MODEL: the one way to name a model, for every command and every function."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from kvcs import npy
from kvcs.commands.fetching import fetch_description
from kvcs.errors import KvcsError, NotAModelError, OperandError
from kvcs.names import LIVE
from kvcs.spec import StoredModel
from kvcs.tree import reader, writer
from kvcs.tree.partial import Objects
from kvcs.tree.skeletons import Parser
from kvcs.tree.writer import LAYER, MANIFEST
from kvcs.workdir import Directory, open_file

# A path, REV:DIR, or a live keras.Model.
Model: TypeAlias = "str | os.PathLike[str] | Any"

SAVED_FILES = (".keras", ".h5", ".hdf5")


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored model that can be read.

    Attributes:
        name: the operand, as the user gave it.
        files: its files, read lazily.
        live: the tensors and assets of a live model, which has no files for them.
        has_weights: false for JSON, which describes a model without its weights.
    """

    name: str
    files: Mapping[str, bytes]
    live: Mapping[str, Callable[[], npy.Array | bytes]] | None = None
    has_weights: bool = True

    def model(self, parser: Parser | None = None) -> StoredModel:
        """Read the model as data; the parser is shared by models that have much in common."""
        fetch_description(self.files)
        return reader.read(self.files, self.name, parser)

    def contents(self, model: StoredModel) -> Mapping[str, Callable[[], npy.Array | bytes]]:
        """Return its tensors and assets, checked as they are read."""
        if self.live is not None:
            return self.live
        return reader.Contents(self.files, model, self.name)


def is_live(operand: Model) -> bool:
    """Tell whether the operand is a live Keras model, without importing Keras to find out."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(operand, keras.Model)


def is_saved_file(operand: Model) -> bool:
    """Tell whether the operand is a file that Keras saved."""
    if not isinstance(operand, str | os.PathLike):
        return False
    return Path(operand).suffix in SAVED_FILES and what_stands_at(operand) == "file"


def is_json(operand: Model) -> bool:
    """Tell whether the operand is a file with the JSON of a model, and no manifest of kvcs."""
    if not isinstance(operand, str | os.PathLike) or Path(operand).suffix != ".json":
        return False
    return what_stands_at(operand) == "file" and not is_manifest_file(Path(operand))


def what_stands_at(path: str | os.PathLike[str]) -> Literal["file", "directory", "nothing"]:
    """Tell what a path names; a name that no file system takes, such as one too long, nothing."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return "nothing"
    return "directory" if stat.S_ISDIR(mode) else "file"


@contextmanager
def opened(operand: Model) -> Iterator[Stored]:
    """Open a model directory or a revision of one.

    Raises:
        OperandError: there is nothing of that name, or it is no model directory.
    """
    if is_live(operand):
        raise OperandError("a live model is stored nowhere yet: save it, and name its directory")
    if not isinstance(operand, str | os.PathLike):
        raise OperandError(
            f"expected a path, REV:DIR or a keras.Model, got {type(operand).__name__}"
        )
    name = os.fspath(operand)
    if not name or "\0" in name:
        raise OperandError(f"expected a path or REV:DIR, got {name!r}")
    if ":" not in name or what_stands_at(name) != "nothing":
        yield Stored(name, _directory(name))
        return
    from kvcs.repo import Repository

    with Repository.discover() as repository:
        yield Stored(name, repository.revision(name))


def _directory(name: str) -> Directory:
    if is_saved_file(name):
        raise OperandError(
            f"{name} is a file of Keras, which has no checksums: `kvcs export {name} DIR` makes "
            "a model directory of it"
        )
    if Path(name).name == MANIFEST and is_manifest_file(Path(name)):
        raise OperandError(f"{name} belongs to a model directory: name that directory")
    if what_stands_at(name) == "file":
        raise OperandError(
            f"{name} is a file, and no model that kvcs reads: expected a model directory, "
            "REV:DIR, or a file that ends in .keras or .h5"
        )
    directory = Directory(Path(name), cache(lambda: _objects(Path(name))))
    if what_stands_at(name) == "nothing":
        try:
            len(directory)  # puts it back, if a save that was killed had moved it aside
        except OperandError as error:
            raise OperandError(f"{error}. {_advice(name)}") from None
    # Seen before the directory is listed, which may be a home with everything in it.
    if not os.path.lexists(Path(name, MANIFEST)):
        raise NotAModelError(
            f"{name} holds no model: it has no {MANIFEST}. "
            "Name the directory that `kvcs.save` or `kvcs export` wrote"
        )
    return directory


def _objects(directory: Path) -> Objects:
    from kvcs.repo.lfs.store import objects_around

    return objects_around(directory)


def _advice(name: str) -> str:
    from kvcs.repo import Repository

    with suppress(KvcsError), Repository.discover() as repository:
        repository.resolve(name)
        return f"{name} is a revision: name the model in it, as in {name}:DIR"
    return "Name a model directory, REV:DIR as in git, or a .keras or .h5 file"


@contextmanager
def described(operand: Model, custom_objects: Mapping[str, Any] | None = None) -> Iterator[Stored]:
    """Open any operand as a stored model; a live one, or a file, has files of JSON only.

    Raises:
        KvcsError: there is no such model, or it cannot be described.
    """
    if is_saved_file(operand):
        from kvcs.commands.saved import opened_file

        with opened_file(os.fspath(operand), custom_objects=custom_objects) as found:
            yield Stored(str(operand), _json_files(found.model, found.contents), found.contents)
    elif is_json(operand):
        from kvcs.commands.json_operand import model_described_in

        model = model_described_in(operand, custom_objects)
        yield Stored(str(operand), _json_files(model, {}), {}, has_weights=False)
    elif is_live(operand):
        from kvcs.keras_io.capture import capture

        captured = capture(operand)
        files = _json_files(captured.model, captured.contents)
        yield Stored(LIVE, files, captured.contents)
    else:
        with opened(operand) as stored:
            yield stored


def _json_files(model: StoredModel, contents: writer.Contents) -> dict[str, bytes]:
    files = writer.files(model, contents)
    return {path: bytes(parts[0]) for path, parts in files if path.endswith(".json")}


def models_below(top: Path) -> list[Path]:
    """Find every model directory at or below a directory; nested models belong to theirs."""
    found = []
    for directory, below, files in os.walk(top):
        if LAYER not in files and is_model(Path(directory), files):
            found.append(Path(directory))
            below.clear()
        else:
            below[:] = sorted(name for name in below if not name.startswith("."))
    return sorted(found)


def is_model(directory: Path, files: Sequence[str]) -> bool:
    """Tell a model directory, even one that lost its manifest, by what stands in it."""
    if MANIFEST in files:
        return is_manifest_file(Path(directory, MANIFEST))
    return has_layers(directory)


def has_layers(directory: Path) -> bool:
    """Tell whether a directory holds layers, as the directory of a model does."""
    return any(any(directory.glob(f"layers/*/{name}")) for name in (LAYER, MANIFEST))


def is_manifest_file(path: Path) -> bool:
    """Tell a manifest from somebody else's model.json, even when it is damaged."""
    if any(path.parent.glob(f"layers/*/{LAYER}")):
        return True
    try:
        with open_file(path) as file:
            head = file.read(65536)
    except OSError:
        return False
    return is_manifest(head)


def is_manifest(head: bytes) -> bool:
    """Tell by its beginning whether a file is, or was, the manifest of a stored model."""
    return b'"checksum"' in head or b'"build"' in head
