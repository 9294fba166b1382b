"""`kvcs ci`: a review of models in a pipeline, in two steps that trust each other in nothing.

| module        | its job                                                              |
|---------------|----------------------------------------------------------------------|
| `analyse.py`  | compare and judge; needs no token, and no network but git's          |
| `results.py`  | what that leaves: a comment, a summary, a report, files for programs |
| `pages.py`    | how comparisons become Markdown and HTML                             |
| `outputs.py`  | the files by which a step tells GitHub what came out                 |
| `comment.py`  | post the comment; looks at no repository                             |
"""
