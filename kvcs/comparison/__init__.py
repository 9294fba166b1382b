"""Two stored models, compared as models: which layer is which, and what is different.

Pure: models come as data, tensors through callables, and only where they are asked for.

| module                                     | its job                                            |
|--------------------------------------------|----------------------------------------------------|
| `graph.py`, `flatten.py`                   | a model as one graph of layers                     |
| `matcher.py`                               | the phases that pair layers, in order              |
| `evidence.py`, `pairing.py`                | what is known of a layer; the pairs found so far   |
| `anchors.py`, `alignment.py`, `leftovers.py` | the phases themselves                            |
| `containers.py`                            | which model inside is which                        |
| `contraction.py`, `edges.py`               | connections, once insertions and moves are known   |
| `settings.py`, `layers.py`, `whole.py`     | settings, weights, training, state                 |
| `interface.py`                             | what a model takes and gives                       |
| `causes.py`, `interface_causes.py`         | what follows from what; the same change in many    |
| `bare.py`                                  | a model without weights, as JSON describes one     |
| `statistics.py`, `histograms.py`           | how much a tensor changed, and how that is spread  |
| `weighing.py`                              | the same for all weights that changed              |
| `values.py`, `document.py`                 | the diff as frozen values, and as JSON             |
| `selecting.py`                             | parts of a diff: levels, layers                    |
| `description.py`, `rest.py`, `patch.py`    | a diff applied to one model gives the other        |
| `compare.py`                               | all of it, for two models                          |

The public function `kvcs.diff` is `kvcs.commands.diff.diff`.
"""

from __future__ import annotations

from kvcs.comparison.compare import diff, weighed_diff, weightless_diff
from kvcs.comparison.description import Description, describe
from kvcs.comparison.document import from_dict, schema, to_dict
from kvcs.comparison.matcher import Match, match
from kvcs.comparison.patch import patch
from kvcs.comparison.selecting import LEVELS, in_layers, layers_found, only
from kvcs.comparison.values import Change, Diff, Pair

__all__ = [
    "LEVELS",
    "Change",
    "Description",
    "Diff",
    "Match",
    "Pair",
    "describe",
    "diff",
    "from_dict",
    "in_layers",
    "layers_found",
    "match",
    "only",
    "patch",
    "schema",
    "to_dict",
    "weighed_diff",
    "weightless_diff",
]
