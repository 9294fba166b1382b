"""The one place where kvcs meets git.

A revision of a model is a `Mapping[str, bytes]` like every other stored model, read straight
from git's objects; a commit takes model directories and nothing else with it:

    with Repository.discover() as repository:
        weights = repository.revision("v1.0:models/mnist")["weights/dense.npy"]
        repository.commit([Path("models/mnist")], "Train for five more epochs")

| module               | its job                                                    |
|----------------------|------------------------------------------------------------|
| `repository.py`      | `Repository`: the public methods, and what must be closed  |
| `place.py`           | where a repository is, and what its paths are called       |
| `revision.py`        | `REV:DIR` and `:DIR`, turned into a readable mapping       |
| `objects.py`         | contents of git objects, from one `git cat-file`           |
| `committing.py`      | a commit of some directories, or a refusal in one sentence |
| `staging.py`         | what such a commit contains, prepared in a private index   |
| `message.py`         | commit messages and their trailers                         |
| `holding.py`         | which trees hold a given version of a file                 |
| `textual.py`         | the text diff of two files, in the user's colours          |
| `branch.py`          | a commit to a branch that is not checked out               |
| `history.py`         | the commits that touched a model, also under older names   |
| `occurrences.py`     | where files of one name stand and stood, in all commits    |
| `batch.py`           | many objects and trees at once                             |
| `partial.py`         | small files that a partial clone lacks, in one request     |
| `changes.py`         | what is staged, what a checkout brought, what a push sends |
| `attributes.py`      | the lines of kvcs in `.gitattributes`                      |
| `hooks.py`           | its hooks, among those of other tools                      |
| `drivers.py`         | the settings that name kvcs, and git-lfs, as drivers       |
| `prepared.py`        | the file in which git prepares a message                   |
| `lfs_pointers.py`    | pointers of Git LFS                                        |
| `ignored.py`         | rules by which git ignores files                           |
| `versions.py`        | which git there is, and which git-lfs                      |
| `disk.py`            | small files, written whole                                 |
| `program.py`         | the git program itself, run through GitPython              |
| `lfs.py`             | objects of Git LFS: the store that is shared with git-lfs  |
| `lfs_fetching.py`    | git-lfs, asked for many objects at once                    |
| `lfs_adding.py`      | files on their way into that store, and their pointers     |
| `promised.py`        | blobs that a partial clone left at its remote              |
| `object_settings.py` | the settings that decide how files become objects          |
| `blobs.py`           | the fast path: changed files as blobs, before git is asked |
| `conversion.py`      | which files are stored as they are, and which git converts |
| `packing.py`         | a pack, written by kvcs itself                             |
| `streaming.py`       | files on their way into it: read, hashed, checked          |
| `index_file.py`      | git's index: what it remembers of files, read and written  |
| `settings.py`        | git's settings, and which of them kvcs wrote               |
| `pack_index.py`      | its index                                                  |

Everything else goes through the git program, which GitPython finds, starts and ends. Its object
layer is left alone: that one knows 20-byte hashes only, while a repository may use SHA-256.
`docs/committing.md` tells how a commit comes about.
Needs git 2.31 or newer.
"""

from __future__ import annotations

from kvcs.repo.committing import Recorded
from kvcs.repo.history import Selection, Version
from kvcs.repo.occurrences import Edit
from kvcs.repo.repository import Repository
from kvcs.repo.revision import RevisionTree

__all__ = ["Edit", "Recorded", "Repository", "RevisionTree", "Selection", "Version"]
