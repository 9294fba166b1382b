"""What `kvcs init` sets up: attributes, hooks and settings, beside those of others.

| module          | its job                                              |
|-----------------|------------------------------------------------------|
| `attributes.py` | the lines of kvcs in `.gitattributes`                |
| `hooks.py`      | its hooks, among those of other tools                |
| `settings.py`   | git's settings, and which of them kvcs wrote         |
| `drivers.py`    | the settings that name kvcs, and git-lfs, as drivers |
| `prepared.py`   | the file in which git prepares a message             |
| `ignored.py`    | rules by which git ignores files                     |
| `versions.py`   | which git there is, and which git-lfs                |
| `disk.py`       | small files, written whole                           |
"""
