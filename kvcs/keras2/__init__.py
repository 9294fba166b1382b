"""Descriptions of models that Keras 2 wrote, as Keras 3 reads them: JSON in, JSON out.

Keras 3 reads no JSON of Keras 2, and reads its `.h5` files in part. What is carried over, layer by
layer, stands in two tables, `rules` and `operations`; what they do not know is refused with a
sentence that names the layer, so that nothing turns silently into something else. Nothing here
imports Keras.

    upgraded_model      a model: sequence, graph, and the layers in them
    compile_arguments   what `compile()` was given
    plain_model         a bare list of layers, as people write it by hand
"""

from __future__ import annotations

from kvcs.keras2.plain import is_plain, plain_model
from kvcs.keras2.training import compile_arguments
from kvcs.keras2.upgrade import upgraded_model

__all__ = ["compile_arguments", "is_plain", "plain_model", "upgraded_model"]
