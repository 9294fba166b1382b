"""`model.json`: what is read is what is written again, and all else is a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from fuzz import models
from fuzz.json_mutating import mutated as mutated
from kvcs import canon
from kvcs.checksum import sha256
from kvcs.errors import FormatError
from kvcs.tree.manifest import checksum, manifest_from_json, manifest_to_json, nested_from_json


def examples() -> Iterator[bytes]:
    """Yield manifests, outermost and nested."""
    for files in (models.golden(), models.small()):
        yield from (data for path, data in files.items() if path.endswith("model.json"))


def one_input(data: bytes) -> None:
    """Read a manifest as it is, and once more with checksums that are right."""
    _read(data)
    with suppress(FormatError, TypeError, ValueError, KeyError, AttributeError):
        value = canon.foreign(data)
        with suppress(KeyError, TypeError):
            names = value["live_names"]["names"]
            value["live_names"]["checksum"] = sha256([canon.dumps(names)])
        value["checksum"] = checksum(value)
        data = canon.dumps(value)
    _read(data)


def _read(data: bytes) -> None:
    for read in (manifest_from_json, nested_from_json):
        try:
            found = read(canon.loads(data))
        except FormatError:
            continue
        assert canon.dumps(manifest_to_json(found)) == data
