"""The one place where kvcs meets git.

A revision of a model is a `Mapping[str, bytes]` like every other stored model, read straight
from git's objects; a commit takes model directories and nothing else with it:

    with Repository.discover() as repository:
        weights = repository.revision("v1.0:models/mnist")["weights/dense.npy"]
        repository.commit([Path("models/mnist")], "Train for five more epochs")

| module          | its job                                                     |
|-----------------|-------------------------------------------------------------|
| `repository.py` | `Repository`: the public methods, and what must be closed   |
| `place.py`      | where a repository is, and what its paths are called        |
| `revision.py`   | `REV:DIR` and `:DIR`, turned into a readable mapping        |
| `objects.py`    | contents of git objects, from one `git cat-file`            |
| `committing.py` | a commit of some directories, or a refusal in one sentence  |
| `staging.py`    | what such a commit contains, prepared in a private index    |
| `blobs.py`      | the fast path: changed files as blobs, before git is asked  |
| `conversion.py` | which files are stored as they are, and which git converts  |
| `packing.py`    | a pack, written by kvcs itself; `pack_index.py` is its index |
| `streaming.py`  | files on their way into it: read, hashed, checked           |
| `index_file.py` | git's index: what it remembers of files, read and written   |
| `settings.py`   | settings of the repository that decide all that             |
| `message.py`    | commit messages and their trailers                          |
| `history.py`    | the commits that touched a model                            |
| `program.py`    | the git program itself, run through GitPython               |

Everything else goes through the git program, which GitPython finds, starts and ends. Its object
layer is left alone: that one knows 20-byte hashes only, while a repository may use SHA-256.
`docs/committing.md` tells how a commit comes about.
Needs git 2.31 or newer.
"""

from __future__ import annotations

from kvcs.repo.committing import Recorded
from kvcs.repo.history import Version
from kvcs.repo.repository import Repository
from kvcs.repo.revision import RevisionTree

__all__ = ["Recorded", "Repository", "RevisionTree", "Version"]
