"""The config in a `.keras` archive, all else in which is as it should be."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import suppress

from fuzz import keras_file, models
from fuzz.json_mutating import mutated as mutated
from kvcs import canon
from kvcs.errors import FormatError, KvcsError
from kvcs.trust import Trust, check_config


def examples() -> Iterator[bytes]:
    """Yield one config."""
    with zipfile.ZipFile(io.BytesIO(models.keras_file())) as archive:
        yield archive.read("config.json")


def one_input(data: bytes) -> None:
    """Export an archive with another config, and judge what the config names."""
    members = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(models.keras_file())) as old,
        zipfile.ZipFile(members, "w") as new,
    ):
        for name in old.namelist():
            new.writestr(name, data if name == "config.json" else old.read(name))
    keras_file.one_input(members.getvalue())
    with suppress(FormatError):
        config = canon.foreign(data)
        with suppress(KvcsError):
            check_config(config, Trust())
