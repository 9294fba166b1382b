"""What becomes a commit: files into objects, objects into an index, an index into a commit.

| module          | its job                                                    |
|-----------------|------------------------------------------------------------|
| `committing.py` | a commit of some directories, or a refusal in one sentence |
| `staging.py`    | what such a commit contains, prepared in a private index   |
| `blobs.py`      | the fast path: changed files as blobs, before git is asked |
| `conversion.py` | which files are stored as they are, and which git converts |
| `index_file.py` | git's index: what it remembers of files, read and written  |
| `branch.py`     | a commit to a branch that is not checked out               |
| `message.py`    | commit messages and their trailers                         |
"""
