"""JSON files of the format parsed one after another; what they have in common is parsed once.

A trained layer differs from what it was in nothing but digests, and so does one block of a network
from the next. So a file is parsed by its skeleton, which is the file without them: where a file
with the same skeleton was parsed before, its digests are put into what came out then. No check is
lost by that. A digest is checked by the file it is a digest of, and the checksum of a manifest
leaves digests out for that reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from kvcs import canon
from kvcs.spec import LayerSpec, TensorSpec
from kvcs.tree.manifest import Manifest

T = TypeVar("T")

# The lines of canonical JSON that hold the digest of a layer or a tensor, or of a file beside
# the manifest. A line of a config can look the same; that is found by counting.
_DIGEST = re.compile(
    rb'(?m)^((?:      "sha256"|    "(?:optimizer/index|state|training)\.json"): ")([0-9a-f]{64})"'
)

# Stands for a digest. No JSON holds it, so that two files with the same skeleton and without it
# have their digests in the same places.
_MARK = b"\0"


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What a file holds, and whether its digests stand where they are looked for."""

    value: Any
    regular: bool


class Parser:
    """Parses files, and keeps what came out. What it returns may be shared: nobody alters it."""

    def __init__(self) -> None:
        self._by_skeleton: dict[tuple[str, bytes], _Parsed] = {}

    def parse(self, data: bytes, read: Callable[[Any], T]) -> tuple[T, bytes]:
        """Return what a file holds, and its skeleton.

        Args:
            data: the file.
            read: makes of JSON what it says.

        Raises:
            FormatError: not in canonical form, or `read` cannot make anything of it.
        """
        found = [match[2].decode() for match in _DIGEST.finditer(data)]
        key = read.__name__, skeleton(data)
        known = self._by_skeleton.get(key)
        if known is not None and known.regular and _MARK not in data:
            return _with_digests(known.value, iter(found)), key[1]
        value = read(canon.loads(data))
        self._by_skeleton[key] = _Parsed(value, found == _digests(value))
        return value, key[1]


def skeleton(data: bytes) -> bytes:
    """Return a file without its digests."""
    return _DIGEST.sub(rb"\1%b" % _MARK, data)


def _digests(value: Any) -> list[str] | None:
    """Return the digests in what was parsed, in the order in which they stand in the file."""
    if isinstance(value, Manifest):
        found = [value.files[path] for path in sorted(value.files)]
        found += [entry.sha256 for entry in value.entries if entry.sha256]
        return found + _of_tensors(value.model.tensors)
    return _of_tensors(value.tensors) if isinstance(value, LayerSpec) else None


def _of_tensors(found: Mapping[str, TensorSpec]) -> list[str]:
    return [found[name].sha256 for name in sorted(found)]


def _with_digests(value: Any, given: Iterator[str]) -> Any:
    """Return what was parsed with other digests, in the order in which they stand in the file."""
    if isinstance(value, LayerSpec):
        return replace(value, tensors=_renewed(value.tensors, given)) if value.tensors else value
    files = {path: next(given) for path in sorted(value.files)}
    entries = tuple(
        replace(entry, sha256=next(given)) if entry.sha256 else entry for entry in value.entries
    )
    model = replace(value.model, tensors=_renewed(value.model.tensors, given))
    return replace(value, files=files, entries=entries, model=model)


def _renewed(found: Mapping[str, TensorSpec], given: Iterator[str]) -> dict[str, TensorSpec]:
    return {name: replace(found[name], sha256=next(given)) for name in sorted(found)}
