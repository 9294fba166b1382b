"""pytest plugin that sends every model in Keras' own tests through kvcs.

Two functions of Keras are replaced for the session. `TestCase.run_layer_test` becomes a round trip
of a model around the layer; and what `model.save("x.keras")` writes is kept as a model directory,
too, from which `load_model("x.keras")` then loads.
"""

from __future__ import annotations

import inspect
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

# Keras' tests import this from the root of Keras' repository, which is not in the wheel.
sys.modules["conftest"] = SimpleNamespace(  # type: ignore[assignment]
    skip_if_backend=lambda backend, reason: pytest.mark.skipif(
        os.environ["KERAS_BACKEND"] == backend, reason=reason
    )
)

from keras.src.saving import saving_lib  # noqa: E402
from keras.src.testing.test_case import TestCase  # noqa: E402

import kvcs  # noqa: E402
from keras_suite.exceptions import KNOWN  # noqa: E402
from keras_suite.round_trip import LayerTest, round_trip  # noqa: E402

# The outcomes of a model's way through kvcs, as they are counted and printed.
TRIP, LOADED, LEFT, FAILED = "round trip", "redirected load", "left to Keras", "failure"
REPLACED = {"run_layer_test", "save_model", "load_model"}
KERAS_TEST = TestCase.run_layer_test
KERAS_SAVE, KERAS_LOAD = saving_lib.save_model, saving_lib.load_model


@dataclass
class Session:
    """What the replaced functions know of the session they run in."""

    item: pytest.Item | None = None
    saved: dict[str, tuple[int, Path]] = field(default_factory=dict)
    inside: bool = False
    place: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory)

    def note(self, outcome: str, text: str = "") -> None:
        """Note an outcome with the running test: its report takes it along, from workers too."""
        assert self.item is not None
        self.item.user_properties.append((outcome, text))

    @contextmanager
    def kvcs_at_work(self) -> Iterator[None]:
        """Note what fails here; and leave Keras' functions alone when kvcs calls them."""
        self.inside = True
        try:
            yield
        except BaseException as error:
            self.note(FAILED, f"{type(error).__name__}: {error}")
            raise
        finally:
            self.inside = False


SESSION = Session()


def run_layer_test(
    case: TestCase,
    layer_cls: Any,
    init_kwargs: Any,
    input_shape: Any = None,
    input_dtype: Any = None,
    input_sparse: bool = False,
    input_ragged: bool = False,
    input_data: Any = None,
    call_kwargs: Any = None,
    *,
    custom_objects: Any = None,
    **expected: Any,
) -> None:
    """Send a model around the layer through kvcs. Stands in for `TestCase.run_layer_test`."""
    given = (input_shape, input_dtype, input_sparse, input_ragged, input_data, call_kwargs or {})
    test = LayerTest(layer_cls, init_kwargs, *given)
    try:
        data = test.data()
        model = test.model(data)
    except Exception as error:  # of any layer; perhaps the test expects it, and Keras raises it
        SESSION.note(LEFT, f"{layer_cls.__name__}: {error}")
        KERAS_TEST(case, layer_cls, init_kwargs, *given, custom_objects=custom_objects, **expected)
        return
    with SESSION.kvcs_at_work():
        round_trip(model, {**(custom_objects or {}), layer_cls.__name__: layer_cls}, data)
    SESSION.note(TRIP)


def save_model(model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
    """Save as Keras does, and as a model directory. Stands in for `saving_lib.save_model`."""
    result = KERAS_SAVE(model, filepath, *args, **kwargs)
    file = keras_file(filepath)
    if file and not SESSION.inside:
        place = Path(tempfile.mkdtemp(dir=SESSION.place.name), "model")
        with SESSION.kvcs_at_work():
            kvcs.save(model, place)
        SESSION.saved[str(file)] = file.stat().st_mtime_ns, place
    return result


def load_model(
    filepath: Any,
    custom_objects: Any = None,
    compile: bool = True,  # noqa: A002
    safe_mode: Any = True,
) -> Any:
    """Load from the model directory if there is one. Stands in for `saving_lib.load_model`."""
    options = {"custom_objects": custom_objects, "compile": compile, "safe_mode": safe_mode}
    file = keras_file(filepath)
    time, place = SESSION.saved.get(str(file), (None, None))
    if file is None or place is None or file.stat().st_mtime_ns != time or SESSION.inside:
        return KERAS_LOAD(filepath, **options)
    with SESSION.kvcs_at_work():
        model = kvcs.load(place, **options)
    SESSION.note(LOADED)
    return model


def keras_file(path: Any) -> Path | None:
    """Return the absolute path of a `.keras` file that is there, None for anything else."""
    if not isinstance(path, str | os.PathLike) or not str(path).endswith(".keras"):
        return None
    return Path(path).absolute() if Path(path).is_file() else None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option that keeps a suite that tests nothing from passing, and one to be fast."""
    parser.addoption("--enough", type=int, default=1, help="round trips there must be at least")
    parser.addoption("--direct", action="store_true", help="only tests that name what is replaced")


def pytest_configure() -> None:
    """Put the replacements into Keras."""
    TestCase.run_layer_test = run_layer_test
    saving_lib.save_model, saving_lib.load_model = save_model, load_model


def pytest_unconfigure() -> None:
    """Remove what was saved."""
    SESSION.place.cleanup()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Expect the known exceptions to fail, and choose the tests."""
    if config.getoption("direct"):
        items[:] = filter(is_direct, items)
    for item in items:
        reason = KNOWN.get(item.nodeid.rpartition("keras/src/")[2])
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def is_direct(item: pytest.Item) -> bool:
    """Tell whether a test itself names one of the replaced functions."""
    function = inspect.unwrap(getattr(item, "function", is_direct))
    return not REPLACED.isdisjoint(function.__code__.co_names)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember which test the replacements work for."""
    SESSION.item = item


@dataclass(frozen=True)
class Outcome:
    """What became of one model."""

    test: str
    kind: str
    text: str

    def __str__(self) -> str:
        line = self.text.partition("\n")[0]
        return f"{self.kind}: {self.test}: {line}"


def outcomes(config: pytest.Config) -> list[Outcome]:
    """Return what became of every model, without the failures that are expected."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    stats = reporter.stats if reporter else {}
    reports = [
        report
        for kind in ("passed", "failed", "xfailed")
        for report in stats.get(kind, ())
        if report.when == "call"
    ]
    return [
        Outcome(report.nodeid.rpartition("keras/src/")[2], kind, text)
        for report in reports
        for kind, text in report.user_properties
        if kind != FAILED or report.outcome != "skipped"  # as pytest calls expected failures
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session when something did not survive, or too little was tried."""
    if hasattr(session.config, "workerinput"):
        return
    counted = Counter(outcome.kind for outcome in outcomes(session.config))
    if counted[FAILED] or counted[TRIP] + counted[LOADED] < session.config.getoption("enough"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the counts, and what did not go through kvcs."""
    found = outcomes(config)
    counted = Counter(outcome.kind for outcome in found)
    terminalreporter.section("models sent through kvcs")
    for kind in (TRIP, LOADED, LEFT, FAILED):
        terminalreporter.write_line(f"{counted[kind]:4} × {kind}")
    terminalreporter.write_line(f"{config.getoption('enough'):4} or more are asked for")
    for outcome in found:
        if outcome.kind in (LEFT, FAILED):
            terminalreporter.write_line(str(outcome))
