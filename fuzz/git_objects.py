"""What git says of trees, and its index: names of any bytes, in any number, cut off anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from kvcs.errors import FormatError, KvcsError
from kvcs.names import MAX_SEGMENT, folded, segment
from kvcs.repo.commits.index_file import read_entries
from kvcs.repo.past.batch import GitObject, _answers, entries
from kvcs.repo.place import Place
from kvcs.repo.revision import Spec, _objects, _tree_entry, parse
from kvcs.tree.fields import path_from_json

PLACE = Place(start=Path("/top/below"), prefix="below", top=Path("/top"), git_dir=Path("/top/.git"))
ID = b"0123456789abcdef0123"


def examples() -> Iterator[bytes]:
    """Yield something for each reader, behind a byte that chooses it."""
    yield b"\0" + b"100644 model.json\0" + ID + b"40000 layers\0" + ID
    yield b"\1" + b"abc\xff\n\xff" + ID
    yield b"\2" + b"\0model.json\0layers/dense/layer.json"
    yield b"\3" + b"HEAD@{1:2}^{/fix: it}:../models/m"
    yield b"\4" + "layers/é/../COM1. /model.json".encode()
    for version in (2, 3, 4):
        yield b"\5" + _index(version)


def _index(version: int) -> bytes:
    entry = bytes(40) + ID + (10).to_bytes(2, "big") + (b"\0" if version == 4 else b"")
    entry += b"model.json\0"
    entry += b"" if version == 4 else bytes(-len(entry) % 8)
    return b"DIRC" + version.to_bytes(4, "big") + (1).to_bytes(4, "big") + entry + bytes(20)


def one_input(data: bytes) -> None:
    """Let one of the readers read."""
    READERS[data[0] % len(READERS) if data else 0](data[1:])


def _tree(data: bytes) -> None:
    with suppress(KvcsError):
        found = list(entries(GitObject(ID.hex(), "tree", data)))
        wrote = b"".join(b"%s %s\0" % (one.mode, one.name) + bytes.fromhex(one.id) for one in found)
        assert wrote == data


def _batch(data: bytes) -> None:
    """Contents behind the headers that git writes, cut off somewhere."""
    parts = data.split(b"\xff")
    output = b"".join(b"%s blob %d\n%s\n" % (ID.hex().encode(), len(x), x) for x in parts)
    found = list(_answers(output))
    assert [one.content for one in found if one] == parts
    cut = list(_answers(output[: data[0] if data else 0]))
    assert cut == found[: len(cut)]


def _listing(data: bytes) -> None:
    """Names that nobody checked behind what git says of each."""
    modes = (b"100644 blob", b"100755 blob", b"120000 blob", b"160000 commit", b"100664 blob")
    mode = modes[data[0] % len(modes)] if data else modes[0]
    names = data[1:].split(b"\0")
    with suppress(KvcsError):
        listed = [_tree_entry(b"%s %s\t%s" % (mode, ID.hex().encode(), name)) for name in names]
        for path in _objects(listed, Spec("v1", "models/m")):
            path.encode()


def _revision(data: bytes) -> None:
    with suppress(KvcsError):
        spec = parse(data.decode("utf-8", "surrogateescape"), PLACE)
        assert not spec.path.startswith(("/", "../"))
        assert ".." not in spec.path.split("/")


def _name(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    part = segment(text)
    assert 0 < len(part) <= MAX_SEGMENT
    assert part.isascii()
    assert path_from_json(part) == part
    assert folded(folded(text)) == folded(text)
    with suppress(FormatError):
        found = path_from_json(text)
        assert not found.startswith("/")
        assert ".." not in found.split("/")


def _in_index(data: bytes) -> None:
    found = read_entries(data, len(ID), [b""])
    for path, entry in (found or {}).items():
        assert len(entry.status) == 40
        assert path in data or data[7] == 4


READERS = (_tree, _batch, _listing, _revision, _name, _in_index)
