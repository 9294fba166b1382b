"""The stored format: a model as data to and from a `Mapping[str, bytes]`.

Everything here is pure. A directory, a revision in git and a dict in a test are three such
mappings, from POSIX path to canonical bytes; `docs/format.md` describes what stands in them.

| module        | its job                                                                |
|---------------|------------------------------------------------------------------------|
| `writer.py`   | a model and its arrays -> files                                        |
| `reader.py`   | files -> a model, and its arrays on call                               |
| `verify.py`   | all that is wrong with files                                           |
| `digests.py`  | the four digests of a model                                            |
| `manifest.py` | `model.json`: `to_json` writes what `from_json` reads, as in all three |
| `layers.py`   | `layer.json`, and descriptions of tensors                              |
| `training.py` | `training.json`, `state.json` and `optimizer/index.json`               |
| `fields.py`   | JSON taken apart key by key                                            |
"""
