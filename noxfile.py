"""The checks that want an environment of their own: `nox -l` lists them, docs/testing.md explains.

What any change has to pass is `pytest` alone, in the environment of the README.
"""

from __future__ import annotations

import json
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests"]

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]

# The tests that make and restore live models, and so depend on the backend and on Keras.
LIVE = [
    "tests/test_round_trip.py",
    "tests/test_generated_models.py",
    "tests/test_training_goes_on.py",
    "tests/test_across_backends.py",
    "tests/test_callbacks.py",
]

# Tests and cases that a backend cannot run, whatever kvcs does.
NOT_FOR = {
    "tensorflow": [],
    "jax": [
        "text",  # a model called on strings needs TensorFlow's tensors
        "settings_changed_since",  # JAX has no doubles
        "weights_as_arguments",  # Keras cannot compare its configs
    ],
    "torch": [
        "text",
        "weights_as_arguments",
        "operations_as_layers",  # torch multiplies no double by a float
        "where_it_stopped",  # without a seed, Dropout draws from torch's own generator
        "NASNetMobile",  # Keras refuses to make it
        "test_generated_models",  # it takes backward slices and names with dots
    ],
}

# What the requirements of pyproject.toml promise at least.
OLDEST = ["keras==3.6.0", "tensorflow==2.18.*"]
NOT_IN_OLDEST = [
    "functions_as_arguments",  # it has no vectorized_map of symbolic tensors
    "two_processes",  # which makes all cases
    "(rebuilt and a_layer_beside)",  # its model.variables lack those of such a layer
]
# Nor can the newest Keras load what the oldest made of it from a file of its own.
NOT_IN_NEWEST = {"models_inside_layers"}

# What Keras' tests import besides Keras itself.
OF_KERAS_TESTS = ["dm-tree", "grain", "jax", "pandas", "pillow", "scikit-learn", "scipy"]

# `nox -s benchmarks -- history safety` runs these alone.
BENCHMARKS = [
    ("against_keras",),
    ("safety",),
    ("comparing",),
    ("committing", "--live"),
    ("history",),
    ("reports",),
]


def without(names: list[str]) -> list[str]:
    """Return pytest's options that leave out tests by name."""
    return ["-k", f"not ({' or '.join(names)})"] if names else []


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The whole suite but for what is slow, as the README runs it."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests that take more than ten seconds: the memory that a large model takes."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", "--dist=load", "-m", "slow", *session.posargs)


@nox.session
@nox.parametrize("backend", sorted(NOT_FOR), ids=sorted(NOT_FOR))
def backends(session: nox.Session, backend: str) -> None:
    """The tests of live models under a backend; and what two backends make of one model."""
    session.install("-e", f".[{backend},test]")
    options = [*without(NOT_FOR[backend]), *session.posargs]
    session.run("python", "-m", "pytest", *LIVE, *options, env={"KERAS_BACKEND": backend})


@nox.session
def keras_oldest(session: nox.Session) -> None:
    """The tests of live models with the oldest Keras, and an exchange with the newest."""
    session.install("-e", ".[test]", *OLDEST)
    session.run("python", "-m", "pytest", *LIVE, *without(NOT_IN_OLDEST), *session.posargs)
    place = Path(session.create_tmp())
    newest = another_environment(session, place / "newest")
    session.run("python", "tests/exchange.py", "write", str(place / "by-oldest"))
    session.run(newest, "tests/exchange.py", "write", str(place / "by-newest"), external=True)
    if problems(session, newest, place / "by-oldest").keys() != NOT_IN_NEWEST:
        session.error("The newest Keras does not read what the oldest wrote.")
    for name, problem in problems(session, "python", place / "by-newest").items():
        # Keras gives a layer new arguments, which no older Keras takes. That is said, and no more.
        if "cannot be built" not in problem:
            session.error(f"{name} from the newest Keras is not read, without a reason: {problem}")


def another_environment(session: nox.Session, place: Path) -> str:
    """Make an environment with kvcs and the newest Keras; return its interpreter."""
    session.run("python", "-m", "venv", "--clear", str(place))
    interpreter = str(place / "bin" / "python")
    session.run(interpreter, "-m", "pip", "install", "-q", "-e", ".[test]", external=True)
    return interpreter


def problems(session: nox.Session, interpreter: str, place: Path) -> dict[str, str]:
    """Let an interpreter read a directory of models; return what it says of each it could not."""
    run = [interpreter, "-W", "ignore", "tests/exchange.py", "read", str(place)]
    printed = session.run(*run, silent=True, stderr=None, external=True)
    found: dict[str, str] = json.loads(str(printed).splitlines()[-1])
    return found


@nox.session
def keras_suite(session: nox.Session) -> None:
    """The tests of Keras itself, with every model in them sent through kvcs."""
    session.install("-e", ".[test]", *OF_KERAS_TESTS)
    session.run("python", "tests/keras_suite", *(session.posargs or ["-n2"]))


@nox.session
def keras_hub(session: nox.Session) -> None:
    """The tests with models of KerasHub."""
    session.install("-e", ".[test]", "keras-hub")
    session.run("python", "-m", "pytest", "-n0", "tests/test_keras_hub.py", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """The targets of fuzz/ for a minute each; or, as `nox -s fuzz -- 600 layer`, one for ten."""
    session.install("-e", ".", "atheris")
    session.run("python", "-m", "fuzz", *(session.posargs or ["60"]))


@nox.session
def benchmarks(session: nox.Session) -> None:
    """The time that kvcs takes, and Keras, git and DVC beside it; git-lfs, if it is there.

    That of reports wants chromium and chromium-driver.
    """
    session.install("-e", ".[tensorflow]", "dvc", "selenium")
    for name, *options in BENCHMARKS:
        if not session.posargs or name in session.posargs:
            session.run("python", "-W", "ignore", f"benchmarks/{name}.py", *options)
