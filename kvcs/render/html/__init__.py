"""What commands found as pages for a browser, and as fragments for a notebook.

A page is one file: it asks for nothing, works from a disk, and may run one script alone, by a
policy in its head. What others wrote into a model is text in it, never markup.

| module                                 | its job                                               |
|----------------------------------------|-------------------------------------------------------|
| `graph.py`, `folding.py`               | two models as one graph; what of it is drawn as one   |
| `layers.py`, `sections.py`             | what is said of a layer; of two models: values        |
| `pictures.py`                          | histograms and plots as paths                         |
| `data.py`                              | what the script draws                                 |
| `comparisons.py`, `model.py`, `timeline.py` | `kvcs diff`, `kvcs show` and `kvcs log`          |
| `assets.py`                            | templates, the script, the style, and the policy      |
| `templates`, `style`, `script`         | markup, look, and what moves                          |
| `vendor`                               | dagre, which lays graphs out, and its licence         |
"""

from __future__ import annotations

from kvcs.render.html.comparisons import compared_fragment, compared_page, page
from kvcs.render.html.model import model_page
from kvcs.render.html.timeline import timeline_fragment, timeline_page

__all__ = [
    "compared_fragment",
    "compared_page",
    "model_page",
    "page",
    "timeline_fragment",
    "timeline_page",
]
