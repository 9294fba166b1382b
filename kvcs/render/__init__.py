"""What commands found, in words, tables and JSON; nothing is computed here.

| module                                      | its job                                            |
|---------------------------------------------|----------------------------------------------------|
| `text.py`                                   | tables, and text that is harmless on a terminal    |
| `words.py`, `verdict.py`, `changes.py`      | values, whole diffs and single changes in words    |
| `marks.py`, `layout.py`                     | symbols; lines that fit a width                    |
| `diff.py`, `brief.py`                       | a diff line by line; in one line a layer or a model|
| `markdown.py`, `markdown_sections.py`       | a diff for a pull request, and what it is made of  |
| `markdown_text.py`                          | text of others inside of Markdown                  |
| `html`                                      | pages for a browser, fragments for a notebook      |
| `check.py`, `check_words.py`                | what rules found, for a person                     |
| `check_sarif.py`, `check_github.py`         | the same for code scanning, for GitHub Actions     |
| `markdown_graph.py`, `mermaid.py`           | a graph of what changed, and its language          |
| `neighbourhood.py`                          | which layers are in such a graph                   |
| `flavour.py`                                | what GitHub and GitLab show of it                  |
| `progress.py`                               | a bar while large weights are compared             |
"""
