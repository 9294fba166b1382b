"""Packs that kvcs writes and reads itself: the fast path of large files into git and back.

| module          | its job                                           |
|-----------------|---------------------------------------------------|
| `packing.py`    | a pack, written by kvcs itself                    |
| `pack_index.py` | its index                                         |
| `streaming.py`  | files on their way into it: read, hashed, checked |
| `reading.py`    | blobs, from a pack or loose                       |
"""
