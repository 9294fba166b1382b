"""What a stored model consists of, as a statement that others can sign.

An in-toto Statement (https://in-toto.io/Statement/v1) with the predicate of OpenSSF Model Signing
v1.0: each file with its SHA-256, and one digest over all of these. What signs statements can sign
it as it is, and what verifies signed models compares it with the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from kvcs.checksum import sha256
from kvcs.errors import DamageError
from kvcs.tree.reader import Files
from kvcs.tree.verify import outline, verify

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://model_signing/signature/v1.0"
ALGORITHM = "sha256"


def statement(name: str, digests: Mapping[str, str]) -> dict[str, Any]:
    """Return a statement about files.

    Args:
        name: of the model; it is told, and never compared.
        digests: the SHA-256 of each file, by path.
    """
    whole = hashlib.sha256()
    resources = []
    # Name by name: as texts, `a-b/c` would stand before `a/c`.
    for path in sorted(digests, key=lambda path: path.split("/")):
        whole.update(bytes.fromhex(digests[path]))
        resources.append({"name": path, "algorithm": ALGORITHM, "digest": digests[path]})
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {ALGORITHM: whole.hexdigest()}}],
        "predicateType": PREDICATE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": ALGORITHM,
                "allow_symlinks": False,
            },
            "resources": resources,
        },
    }


def file_digests(files: Files, name: str) -> dict[str, str]:
    """Return the SHA-256 of each file of a stored model, every one checked.

    Of an object of Git LFS that is not on this machine, the pointer is.

    Raises:
        DamageError: the model is not whole, so that nothing should be said of it.
        NotAModelError: there is no manifest.
        NewerFormatError: written in a later format.
    """
    report = verify(files, name)
    if not report:
        raise DamageError(
            f"{name} is damaged: {report.problems[0]}. `kvcs verify` lists all that is wrong"
        )
    recorded = outline(files, name).recorded
    return {
        path: recorded[path][0] if path in recorded else sha256([files[path]]) for path in files
    }
