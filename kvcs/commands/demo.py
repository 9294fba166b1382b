"""`kvcs demo`: a network is trained, committed, changed and restored, on real images.

Every step says what it does, with the command or the line of Python that does the same by hand.
The last one is a proof: it compares every byte of the restored model with what was kept in memory
when the first version was committed, and fails if one differs.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kvcs.commands.commit import METRIC, commit
from kvcs.commands.digest import digest
from kvcs.commands.load import load
from kvcs.commands.quiet import quiet_start
from kvcs.commands.show import show
from kvcs.commands.verify import verify
from kvcs.data import digits
from kvcs.errors import KvcsError
from kvcs.repo import Repository, Version

Say: TypeAlias = Callable[[str], None]

MODEL = "models/digits"
NOBODY = ("kvcs demo", "demo@example.org")


@dataclass(frozen=True)
class Evidence:
    """What a model was at one moment, copied out of it.

    Attributes:
        variables: every variable of the model and of its optimizer, by name.
        predictions: what it says about the test images, of shape (images, 10).
        digest: its digest as a whole.
    """

    variables: Mapping[str, NDArray[Any]]
    predictions: NDArray[Any]
    digest: str


def demo(directory: Path, say: Say) -> None:
    """Show the main job on real input, and leave a repository to look into.

    Args:
        directory: where; it is made, or must be empty.
        say: called with each line to print.

    Raises:
        KvcsError: the directory is in use, git or Keras is missing, or the proof failed.
    """
    _refuse_used(directory)
    say("kvcs demo: from a live Keras model to git, and back.")
    say("(Starting Keras, which takes a few seconds.)")
    # No GPU: it may add up in another order the next time, and the proof is about every bit.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    quiet_start()
    with _new_repository(directory, say) as repository, _inside(directory):
        model, accuracy = _train_first(say)
        kept = _commit_first(model, accuracy, repository, say)
        _train_on(model, say)
        _insert_layer(model, say)
        _show_history(repository, say)
        _verify(say)
        _restore(kept, say)
    _say_what_next(directory, say)


def gather(model: Any) -> Evidence:
    """Copy all that the proof is about out of a live model."""
    from keras.ops import convert_to_numpy

    named = {
        f"{layer.name}/{variable.name}": variable
        for layer in model.layers
        for variable in layer.variables
    } | {f"optimizer/{at}": variable for at, variable in enumerate(model.optimizer.variables)}
    _, (images, _) = digits.load()
    return Evidence(
        variables={name: np.array(convert_to_numpy(found)) for name, found in named.items()},
        predictions=np.array(model.predict(images, verbose=0)),
        digest=digest(model),
    )


def prove_same(kept: Evidence, found: Evidence) -> None:
    """Compare two models to the last bit.

    Raises:
        KvcsError: they differ; the text says where.
    """
    if kept.variables.keys() != found.variables.keys():
        names = ", ".join(sorted(kept.variables.keys() ^ found.variables.keys()))
        raise KvcsError(f"the restored model has other variables than the first version: {names}")
    for name, array in kept.variables.items():
        if not _same_bits(array, found.variables[name]):
            raise KvcsError(f"the restored model differs from the first version in {name}")
    if not _same_bits(kept.predictions, found.predictions):
        raise KvcsError("the restored model predicts something else than the first version")
    if kept.digest != found.digest:
        raise KvcsError(f"the restored model has the digest {found.digest}, not {kept.digest}")


def _same_bits(left: NDArray[Any], right: NDArray[Any]) -> bool:
    # Not np.array_equal alone: to it -0.0 is 0.0, and NaN is not itself.
    same_kind = (left.dtype, left.shape) == (right.dtype, right.shape)
    return same_kind and left.tobytes() == right.tobytes()


def _refuse_used(directory: Path) -> None:
    try:
        used = any(directory.iterdir()) if directory.is_dir() else os.path.lexists(directory)
    except OSError as error:
        raise KvcsError(f"cannot look into {directory}: {error.strerror}") from error
    if used:
        what = "not empty" if directory.is_dir() else "no directory"
        raise KvcsError(f"{directory} is {what}: name a new one, as in `kvcs demo another-demo`")


@contextmanager
def _inside(directory: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


def _new_repository(directory: Path, say: Say) -> Repository:
    _begin_step(say, "1. Make a git repository")
    say(f"   $ git init {shlex.quote(str(directory))}")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KvcsError(f"could not make {directory}: {error.strerror}") from error
    repository = Repository.create(directory)
    if not repository.has_identity():
        name, email = NOBODY
        say("   git does not know who you are; in this repository alone, you are:")
        say(f"   $ git config user.name '{name}'")
        say(f"   $ git config user.email {email}")
        repository.set_identity(name, email)
    return repository


def _train_first(say: Say) -> tuple[Any, float]:
    import keras

    (images, _), (others, _) = digits.load()
    _begin_step(say, f"2. Train a small network on {len(images):,} images of handwritten digits")
    keras.utils.set_random_seed(1)
    model = _compiled(_first_layers())
    accuracy = _trained(model, say)
    say(f"   It knows {accuracy:.1%} of {len(others)} images that it was not trained on.")
    return model, accuracy


def _first_layers() -> list[Any]:
    from keras import layers

    return [
        layers.Conv2D(16, 3, activation="relu", name="strokes"),
        layers.MaxPooling2D(name="pool"),
        layers.Flatten(name="flatten"),
        layers.Dense(32, activation="relu", name="hidden"),
        layers.Dropout(0.2, name="dropout"),
        layers.Dense(10, activation="softmax", name="digit"),
    ]


def _commit_first(model: Any, accuracy: float, repository: Repository, say: Say) -> Evidence:
    _begin_step(say, "3. Commit it: JSON for what its layers are, .npy files for their weights")
    _commit(model, "Train a small network", accuracy, say)
    say("   $ git tag v1")
    repository.tag("v1")
    return gather(model)


def _train_on(model: Any, say: Say) -> None:
    _begin_step(say, "4. Train on, and commit")
    _commit(model, "Train for two more epochs", _trained(model, say), say)


def _insert_layer(model: Any, say: Say) -> None:
    from keras.layers import Dense

    _begin_step(say, "5. Insert a layer, keep all that is trained, train on, and commit")
    say('   >>> new = Dense(32, activation="relu", kernel_initializer="identity")')
    say("   >>> model = Sequential([*model.layers[:-1], new, model.layers[-1]])")
    new = Dense(32, activation="relu", kernel_initializer="identity", name="second")
    deeper = _compiled([*model.layers[:-1], new, model.layers[-1]])
    _commit(deeper, "Insert a second hidden layer", _trained(deeper, say), say)


def _compiled(layers: list[Any]) -> Any:
    import keras

    model = keras.Sequential([keras.Input((8, 8, 1), name="image"), *layers], name="digits")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _trained(model: Any, say: Say) -> float:
    """Train a model, and return its accuracy on the test images."""
    say("   >>> model.fit(x_train, y_train, epochs=2)")
    train, test = digits.load()
    model.fit(*train, epochs=2, verbose=0)
    found = model.evaluate(*test, verbose=0, return_dict=True)
    return round(float(found["accuracy"]), 4)


def _commit(model: Any, subject: str, accuracy: float, say: Say) -> None:
    say(f'   >>> kvcs.commit(model, "{MODEL}", "{subject}",')
    say(f'   ...             metrics={{"accuracy": {accuracy}}})')
    say(f"   {commit(model, MODEL, subject, metrics={'accuracy': accuracy})}")


def _show_history(repository: Repository, say: Say) -> None:
    _begin_step(
        say, "6. Look back: the accuracy is a trailer of the commit, the rest is the model's"
    )
    say(f"   $ git log {MODEL}")
    say(f"   $ kvcs show REV:{MODEL}")
    for version in repository.history(Path(MODEL)):
        parameters = show(f"{version.hash}:{MODEL}").parameters
        facts = f"{parameters:,} parameters, accuracy {_accuracy(version)}"
        say(f"   {version.abbrev}  {version.subject:<28}  {facts}")


def _accuracy(version: Version) -> str:
    metrics = [value.partition("=") for key, value in version.trailers if key == METRIC]
    return {name: value for name, _, value in metrics}["accuracy"]


def _verify(say: Say) -> None:
    _begin_step(say, "7. Check every checksum")
    say(f"   $ kvcs verify {MODEL}")
    report = verify(MODEL)
    if not report:
        raise KvcsError(f"{MODEL} is damaged: {report.problems[0]}")
    say(f"   All {report.files} files are whole.")


def _restore(kept: Evidence, say: Say) -> None:
    operand = f"v1:{MODEL}"
    _begin_step(say, "8. Restore the first version from git, with the working tree left alone")
    say(f'   >>> model = kvcs.load("{operand}")')
    found = gather(load(operand))
    prove_same(kept, found)
    say(f"   All {len(found.variables)} variables are what they were in step 3, to the bit,")
    say(f"   and so are its predictions for all {len(found.predictions)} test images.")
    say(f'   >>> kvcs.digest("{operand}")')
    if digest(operand) != kept.digest:
        raise KvcsError(f"{operand} has another digest than the model that was committed")
    say(f"   {kept.digest}")
    say("   That is what it was in step 3, too.")


def _say_what_next(directory: Path, say: Say) -> None:
    _begin_step(say, "The repository is yours to look into:")
    scripts = sysconfig.get_path("scripts")
    if shutil.which("kvcs") is None and shutil.which("kvcs", path=scripts):
        say(f"   PATH={shlex.quote(scripts)}:$PATH")
    say(f"   cd {shlex.quote(str(directory))}")
    say("   kvcs diff v1")
    say("   kvcs diff v1 --format html -o report.html")
    say(f"   kvcs log {MODEL}")
    say(f"   kvcs show v1:{MODEL}")
    say("   git log --stat")
    say("   git diff v1 -- '*.json'")
    say("   kvcs verify")
    say(f"   kvcs checkout v1:{MODEL} -o first.keras")


def _begin_step(say: Say, title: str) -> None:
    say("")
    say(title)
