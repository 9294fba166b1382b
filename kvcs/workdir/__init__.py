"""Directories of the file system: read as a stored model, and replaced all or nothing.

`replace` never writes into the directory it replaces. The new one is staged in a wrapper beside
it, where unchanged files are links to the old ones, and then the two are exchanged in one step:

    models/
    ├── mnist/                the model
    └── .kvcs-x3k9_q2a/       the wrapper, there while a save is under way
        ├── .gitignore        "*", so that `git add .` sees nothing; locked while its owner lives
        ├── new/              the staged model, and after the exchange the old one
        └── old/mnist/        the old model between two renames, where nothing can be exchanged

Whatever a killed process leaves is one such wrapper; the next save in `models/` removes it.

| module          | its job                                                             |
|-----------------|---------------------------------------------------------------------|
| `replacing.py`  | `replace`: what is new, what stays, and what forbids a replacement  |
| `reading.py`    | `Directory`: the files of one model, and never of two               |
| `disk.py`       | written files, brought to the disk one by one or all at once        |
| `filesystem.py` | where all at once is sure, and how it is done                       |
| `staging.py`    | the wrapper: made, exchanged, and cleared away after a killed save  |
"""

from __future__ import annotations

from kvcs.workdir.reading import Directory, open_file
from kvcs.workdir.replacing import Buffer, Replaced, owns, replace
from kvcs.workdir.staging import make_wrapper

__all__ = ["Buffer", "Directory", "Replaced", "make_wrapper", "open_file", "owns", "replace"]
