"""Git LFS pointers: one spelling each, and nothing else is one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from clones import needs_lfs

from kvcs.checksum import sha256
from kvcs.pointer import LIMIT, Pointer, parse

OID = sha256([b"weights"])
POINTER = Pointer(OID, 7)
TEXT = bytes(POINTER)


@needs_lfs
def test_a_pointer_is_what_git_lfs_writes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"weights")
    command = ["git", "lfs", "pointer", f"--file={tmp_path / 'file'}"]
    written = subprocess.run(command, check=True, capture_output=True).stdout
    assert written == TEXT


def test_a_pointer_is_read_back() -> None:
    assert parse(TEXT) == POINTER
    assert len(bytes(Pointer("f" * 64, 10**18))) < LIMIT


def test_the_older_version_is_read() -> None:
    assert parse(TEXT.replace(b"git-lfs.github", b"hawser.github")) == POINTER


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY\x01\x00",
        TEXT[:-1],
        TEXT + b"\n",
        TEXT.replace(b"\n", b"\r\n"),
        TEXT.replace(b"size 7", b"size 07"),
        TEXT.replace(b"size 7", b"size -7"),
        TEXT.replace(b"sha256:", b"sha512:"),
        TEXT.replace(OID.encode(), OID.upper().encode()),
        TEXT.replace(b"oid", b"ext-0-zip sha256:%b\noid" % OID.encode()),
        TEXT.replace(b"spec/v1", b"spec/v2"),
        TEXT + b"x" * LIMIT,
    ],
)
def test_nothing_else_is_a_pointer(content: bytes) -> None:
    assert parse(content) is None
