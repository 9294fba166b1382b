"""A `.keras` archive: it is what Keras writes, or a sentence, and nothing is unpacked unbounded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fuzz import models
from kvcs.errors import KvcsError
from kvcs.keras_files import reading
from kvcs.keras_files.inspecting import inspected
from kvcs.tree import reader, writer


def examples() -> Iterator[bytes]:
    """Yield one archive."""
    yield models.keras_file()


def one_input(data: bytes, suffix: str = ".keras") -> None:
    """Export a file, and look into it as is done before Keras reads it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, f"model{suffix}")
        path.write_bytes(data)
        with suppress(KvcsError):
            inspected(str(path))
        with suppress(KvcsError), reading.opened(str(path)) as found:
            files = {at: b"".join(parts) for at, parts in writer.files(found.model, found.contents)}
            stored = reader.read(files, "m")
            for get in reader.Contents(files, stored, "m").values():
                get()
