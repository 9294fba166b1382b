"""Objects of Git LFS: the store that is shared with git-lfs, what is fetched and what is added.

| module        | its job                                                   |
|---------------|-----------------------------------------------------------|
| `store.py`    | objects of Git LFS: the store that is shared with git-lfs |
| `fetching.py` | git-lfs, asked for many objects at once                   |
| `adding.py`   | files on their way into that store, and their pointers    |
| `pointers.py` | pointers of Git LFS                                       |
"""
