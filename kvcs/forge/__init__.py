"""GitHub and GitLab: which change a pipeline is about, and the one comment that is kept on it.

| module       | its job                                                              |
|--------------|----------------------------------------------------------------------|
| `http.py`    | requests: retries, limits, pages, and a token that goes to one host  |
| `events.py`  | what the environment of a pipeline says                              |
| `github.py`  | comments of a pull request; which one a workflow run belongs to      |
| `gitlab.py`  | notes of a merge request                                             |
| `sticky.py`  | the one comment: found by its marker and its author, and updated     |
| `body.py`    | whether a comment that others could have written is harmless         |

`docs/ci.md` tells how they are put together, and why so.
"""

from __future__ import annotations
