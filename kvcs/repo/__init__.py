"""The one place where kvcs meets git.

A revision of a model is a `Mapping[str, bytes]` like every other stored model, read straight
from git's objects; a commit takes model directories and nothing else with it:

    with Repository.discover() as repository:
        weights = repository.revision("v1.0:models/mnist")["weights/dense.npy"]
        repository.commit([Path("models/mnist")], "Train for five more epochs")

| module           | its job                                                           |
|------------------|-------------------------------------------------------------------|
| `repository.py`  | `Repository`: the public methods, and what must be closed         |
| `revision.py`    | `REV:DIR` and `:DIR`, turned into a readable mapping              |
| `commits/`       | files into objects, objects into an index, an index into a commit |
| `past/`          | versions of models: in which commits, under which paths           |
| `setup/`         | attributes, hooks and settings that `kvcs init` writes            |
| `lfs/`           | the store that is shared with git-lfs, and how it is filled       |
| `packs/`         | packs that kvcs writes and reads itself                           |
| `changes.py`     | what is staged, what a checkout brought, what a push sends        |
| `histories.py`   | commits that a shallow clone lacks                                |
| `locks.py`       | locks of the system on open files                                 |
| `promised.py`    | blobs that a partial clone left at its remote                     |
| `objects.py`     | contents of git objects, at once or from one `git cat-file`       |
| `object_settings.py` | the settings that decide how files become objects             |
| `signatures.py`  | who signed a commit or a tag, as git tells it                     |
| `textual.py`     | the text diff of two files, in the user's colours                 |
| `place.py`       | where a repository is, and what its paths are called              |
| `program.py`     | the git program itself, run through GitPython                     |

Everything else goes through the git program, which GitPython finds, starts and ends. Its object
layer is left alone: that one knows 20-byte hashes only, while a repository may use SHA-256.
`docs/committing.md` tells how a commit comes about.
Needs git 2.31 or newer.
"""

from __future__ import annotations

from kvcs.repo.past.history import Selection, Version
from kvcs.repo.past.occurrences import Edit
from kvcs.repo.repository import Repository
from kvcs.repo.revision import RevisionTree

__all__ = ["Edit", "Repository", "RevisionTree", "Selection", "Version"]
