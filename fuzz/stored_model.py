"""A whole model of a stranger: any JSON in its files, and checksums that hold.

So everything behind the checksums meets what nobody checked: the walk over the files, digests, the
summary, the comparison and its three forms, what a model may name, and the way into a Keras file.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from fuzz import models
from fuzz.json_mutating import mutated as mutated
from kvcs import canon, comparison
from kvcs.checksum import sha256
from kvcs.commands.diff import Comparison
from kvcs.commands.show import summary
from kvcs.errors import FormatError, KvcsError
from kvcs.keras_files import writing
from kvcs.keras_files.declared import check_sizes
from kvcs.spec import StoredModel
from kvcs.tree import reader, writer
from kvcs.tree.digests import digests
from kvcs.tree.manifest import checksum
from kvcs.tree.outline import Outliner
from kvcs.tree.verify import outline, verify
from kvcs.trust import Trust, check_model

Json = Any


def examples() -> Iterator[bytes]:
    """Yield the JSON files of models, as one document each, by path."""
    for files in (models.small(), models.golden()):
        described = (path for path in files if path.endswith(".json") and "assets" not in path)
        yield json.dumps({path: json.loads(files[path]) for path in described}).encode()


def one_input(data: bytes) -> None:
    """Read a model, and do with it all that is done with the model of a stranger."""
    try:
        document = canon.foreign(data)
    except FormatError:
        return
    if not isinstance(document, dict):
        return
    with suppress(KvcsError):
        use({**_tensors(), **files_of(document)})


def _tensors() -> dict[str, bytes]:
    both = {**models.golden(), **models.small()}
    return {path: d for path, d in both.items() if not path.endswith(".json") or "assets" in path}


def files_of(document: Mapping[str, Json]) -> dict[str, bytes]:
    """Return the files of a model, with checksums that hold wherever one has a place."""
    found: dict[str, bytes] = {}
    for path in sorted(document, key=lambda path: (-path.count("/"), path)):  # innermost first
        value = document[path]
        if path.endswith("model.json"):
            _make_right(value, path.removesuffix("model.json"), found)
        with suppress(ValueError):
            found[path] = canon.dumps(value)
    return found


def _make_right(manifest: Json, prefix: str, found: Mapping[str, bytes]) -> None:
    with suppress(KeyError, TypeError, AttributeError, ValueError):
        for entry in manifest["layers"]:
            for name in ("layer.json", "model.json"):
                path = f"{prefix}{entry['path']}/{name}"
                if path in found and "sha256" in entry:
                    entry["sha256"] = sha256([found[path]])
        for path in manifest.get("files", {}):
            if path in found:
                manifest["files"][path] = sha256([found[path]])
        if "live_names" in manifest:
            names = manifest["live_names"]["names"]
            manifest["live_names"]["checksum"] = sha256([canon.dumps(names)])
        manifest["checksum"] = checksum(manifest)


def use(files: dict[str, bytes]) -> None:
    """Do what commands do with a model."""
    whole = bool(verify(files, "m"))
    outline(files, "m")
    ids = {path: sha256([data]) for path, data in files.items()}
    Outliner().outline(ids, {ids[path]: data for path, data in files.items()})
    stored = reader.read(files, "m")
    found = digests(stored)
    assert digests(reader.read(files, "m")) == found
    summary(stored, "m")
    contents = reader.Contents(files, stored, "m")
    if whole:
        again = {path: b"".join(parts) for path, parts in writer.files(stored, contents)}
        assert again == {path: files[path] for path in again}
    _compare(stored)
    with suppress(KvcsError):
        check_model(stored, Trust())
    with suppress(KvcsError):
        check_sizes(stored)
    with suppress(KvcsError), tempfile.TemporaryDirectory() as directory:
        writing.write(stored, contents, Path(directory, "m.keras"))


def _compare(stored: StoredModel) -> None:
    base = reader.read(models.small(), "base")
    for old, new in ((base, stored), (stored, base), (stored, stored)):
        diff = comparison.diff(old, new)
        assert comparison.from_dict(comparison.to_dict(diff)) == diff
        shown = Comparison("old", "new", diff, (old, new))
        shown.to_text(width=80)
        shown.to_markdown()
        shown.to_html()
        if old is new:
            assert not diff
