"""Versions of models: in which commits, under which paths, in which trees.

| module           | its job                                                  |
|------------------|----------------------------------------------------------|
| `history.py`     | the commits that touched a model, also under older names |
| `occurrences.py` | where files of one name stand and stood, in all commits  |
| `batch.py`       | many objects and trees at once                           |
| `holding.py`     | which trees hold a given version of a file               |
"""
