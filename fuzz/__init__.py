"""Fuzzing: what reads the bytes of strangers, fed with what libFuzzer makes of examples.

    python -m fuzz SECONDS [TARGET]...

Each target is a module with two functions: `examples` yields bytes to begin with, and `one_input`
takes any bytes. It must return, or raise an error that is a finding: what goes wrong for a reason
is a `KvcsError`, and what is read must be the same when it is written again. `tests/test_fuzz.py`
gives each target some inputs in every run of the tests, without libFuzzer.

| target            | what it reads                                                        |
|-------------------|----------------------------------------------------------------------|
| `manifest`        | `model.json`, also with a checksum that was made right               |
| `layer`           | `layer.json` and what stands beside the manifest                     |
| `stored_model`    | all JSON files of a model, with checksums that were made right       |
| `npy_file`        | a tensor                                                             |
| `pointer_file`    | a pointer of Git LFS                                                 |
| `git_objects`     | trees, the index, and answers of `git cat-file` and `git ls-tree`    |
| `keras_file`      | a `.keras` archive                                                   |
| `keras_config`    | the config in one                                                    |
| `model_json`      | JSON of a model, of Keras 3 and 2                                    |
| `h5_file`         | a legacy `.h5` file                                                  |
"""

from __future__ import annotations

TARGETS = (
    "manifest",
    "layer",
    "stored_model",
    "npy_file",
    "pointer_file",
    "git_objects",
    "keras_file",
    "keras_config",
    "model_json",
    "h5_file",
)
