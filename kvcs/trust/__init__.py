"""What a model may name: every class and function in it is known, or the caller trusts it.

A config is a program: it names classes and functions, and loading it calls them. Before Keras sees
one, it is walked here, as plain data and without Keras, and admitted or refused:

    check_model     a stored model
    check_config    a config as Keras writes it, such as that of a `.keras` file
    check_value     a part of a stored model's config

Known are the names in `known.json`: the classes that models are made of, and the functions that
calculate and do nothing else. `Trust` holds what the caller trusts besides.
"""

from __future__ import annotations

from kvcs.trust.judging import Trust
from kvcs.trust.known import is_known_class, public_module
from kvcs.trust.walking import check_config, check_model, check_value

__all__ = ["Trust", "check_config", "check_model", "check_value", "is_known_class", "public_module"]
