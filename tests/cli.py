"""The command line for tests, and stored models to use it on that are made without Keras.

`kvcs` runs a command here, `process` in a process of its own, which is slower and real: a
terminal, a pipe, a signal. `refused` runs one that must fail the way all bad input fails.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kvcs import workdir
from kvcs.cli import run
from kvcs.spec import (
    Call,
    ClassRef,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    SharedLayer,
    StateSpec,
    StoredModel,
    SymbolicTensor,
    TensorRef,
    TensorSpec,
)
from kvcs.tree import writer
from kvcs.tree.reader import tensors

KVCS = (sys.executable, "-m", "kvcs")


class Done(NamedTuple):
    """What a command left behind: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of its output, without the spaces that fill up a table."""
        return [line.rstrip() for line in self.out.splitlines()]


def kvcs(*arguments: str) -> Done:
    """Run a command as the `kvcs` program would, in this process."""
    out, err = io.StringIO(), io.StringIO()
    code: object = None
    before, sys.argv = sys.argv, ["kvcs", *arguments]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            run()
    except SystemExit as leaving:
        code = leaving.code
    finally:
        sys.argv = before
    assert code is None or isinstance(code, int)
    return Done(code or 0, out.getvalue(), err.getvalue())


def process(*arguments: str, command: Sequence[str] = KVCS, **options: Any) -> Done:
    """Run a command in a process of its own."""
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, **options)
    return Done(done.returncode, done.stdout, done.stderr)


def refused(*arguments: str) -> str:
    """Run a command that must fail as all bad input does, and return what it says.

    One line on stderr that begins with `kvcs: `, nothing on stdout, exit code 2, and no file of
    the current directory written.
    """
    before = contents(Path())
    done = kvcs(*arguments)
    assert done.code == 2, done
    assert done.out == ""
    assert done.err.startswith("kvcs: ")
    assert done.err.endswith("\n")
    assert len(done.err.splitlines()) == 1, done.err
    assert contents(Path()) == before
    return done.err.removeprefix("kvcs: ").removesuffix("\n")


def contents(root: Path) -> dict[str, bytes | None]:
    """Return all files below a directory by path, None for a directory; git's own left out."""
    found: dict[str, bytes | None] = {}
    for directory, below, files in os.walk(root):
        below[:] = [name for name in below if name != ".git"]
        found |= dict.fromkeys((f"{directory}/{name}" for name in below), None)
        found |= {f"{directory}/{name}": Path(directory, name).read_bytes() for name in files}
    return found


# --- stored models -------------------------------------------------------------------------------


def store(directory: Path, model: StoredModel | None = None, *, bias: float = 0.0) -> Path:
    """Write a stored model to a directory, the small one below unless another is given."""
    model = model or small()
    arrays = {path: partial(array, tensor, bias) for path, (_, tensor) in tensors(model)}
    workdir.replace(directory, writer.files(model, arrays))
    return directory


def array(tensor: TensorSpec, bias: float) -> np.ndarray:
    """Return the values of a tensor: counted up, or all the same for a bias."""
    if tensor.file == "bias.npy":
        return np.full(tensor.shape, bias, tensor.dtype)
    return np.arange(tensor.size).reshape(tensor.shape).astype(tensor.dtype)


def small(*, name: str = "dense", cls: str = "Dense", keras_version: str = "3.15.1") -> StoredModel:
    """Describe a compiled functional model: an input and a dense layer, whose name is free."""
    layers = (image(), dense(name, cls=cls))
    model = ModelSpec(
        cls=ClassRef(module="keras", name="Functional"),
        config={"trainable": True},
        build="graph",
        layers=layers,
        inputs=[TensorRef("image", 0, 0)],
        outputs=[TensorRef(name, 0, 0)],
    )
    return StoredModel(
        model=model,
        name="functional",
        keras_version=keras_version,
        training={"loss": "mse", "optimizer": "sgd"},
        optimizer={"iterations": weight("iterations", dtype="int64", trainable=False)},
        state=StateSpec(seeds={"layers/dropout/seed_generator": (1, 2)}),
    )


def nested() -> StoredModel:
    """Describe a model with a model inside, a layer that stands in both, and frozen weights."""
    inner = ModelSpec(
        cls=ClassRef(module="keras", name="Sequential"),
        config={"trainable": True},
        build="sequence",
        layers=(dense("dense", source=None), normalization()),
    )
    layers = (
        image(),
        LayerEntry(
            name="encoder",
            path="layers/encoder",
            calls=(call("image", None, 3),),
            layer=inner,
        ),
        LayerEntry(
            name="dense",
            path="layers/dense",
            calls=(call("encoder", None, 3),),
            layer=SharedLayer(path="layers/encoder/layers/dense"),
        ),
    )
    found = small()
    outer = replace(found.model, layers=layers, outputs=[TensorRef("dense", 0, 0)])
    return StoredModel(model=outer, name="functional", keras_version="3.15.1")


def image() -> LayerEntry:
    config = {"batch_shape": [None, 4], "dtype": "float32"}
    cls = ClassRef(module="keras.layers", name="InputLayer")
    return LayerEntry(
        name="image",
        path="layers/image",
        calls=(call(None, None, 4),),
        layer=LayerSpec(cls=cls, config=config),
    )


def dense(name: str, *, cls: str = "Dense", source: str | None = "image") -> LayerEntry:
    layer = LayerSpec(
        cls=ClassRef(module="keras.layers", name=cls),
        config={"activation": "linear", "units": 3},
        tensors={"bias": weight("bias", 3), "kernel": weight("kernel", 4, 3)},
    )
    calls = (call(source, None, 3),)
    return LayerEntry(name=name, path="layers/dense", calls=calls, layer=layer)


def normalization() -> LayerEntry:
    layer = LayerSpec(
        cls=ClassRef(module="keras.layers", name="BatchNormalization"),
        config={"axis": -1},
        tensors={
            "gamma": weight("gamma", 3),
            "moving_mean": weight("moving_mean", 3, trainable=False),
        },
    )
    return LayerEntry(name="norm", path="layers/norm", calls=(), layer=layer)


def call(source: str | None, *shape: int | None) -> Call:
    args = () if source is None else (TensorRef(source, 0, 0),)
    return Call(args=args, kwargs={}, outputs=(SymbolicTensor(shape=shape, dtype="float32"),))


def weight(name: str, *shape: int, dtype: str = "float32", trainable: bool = True) -> TensorSpec:
    return TensorSpec(file=f"{name}.npy", dtype=dtype, shape=shape, trainable=trainable)


def without(*names: str, **variables: str) -> Mapping[str, str]:
    """Return the environment without some variables, and with others."""
    return {name: value for name, value in os.environ.items() if name not in names} | variables
