"""The tests of Keras that kvcs is known to fail, and why. Each must go on failing."""

from __future__ import annotations

UNBUILT = "Keras saves a model without weights; kvcs asks for it to be built first."
WORDS = "The test expects the text of Keras' error; kvcs says in its own words what is wrong."
LOCAL = "The test's class is local to a function, and its module makes it look like one of Keras'."
FILE = "The test reads a file that is not in the wheel of Keras."

_SAVING = "saving/saving_lib_test.py::SavingTest::test_"
_BATTLE = "saving/saving_lib_test.py::SavingBattleTest::test_"

KNOWN = {
    _SAVING + "compile_overridden_warnings_sequential": UNBUILT,
    _SAVING + "compile_overridden_warnings_subclassed": UNBUILT,
    _SAVING + "metadata": UNBUILT,
    _SAVING + "saving_preserve_unbuilt_state": UNBUILT,
    "saving/saving_lib_test.py::SavingAPITest::test_safe_mode": WORDS,
    _BATTLE + "complex_model_without_explicit_deserialization": WORDS,
    _BATTLE + "custom_object_without_from_config": WORDS,
    _SAVING + "load_model_exception_raised_high_memory_config": LOCAL,
    _SAVING + "load_model_exception_raised_low_memory_config": LOCAL,
    _BATTLE + "legacy_load_skips_missing_nested_containers": FILE,
}
