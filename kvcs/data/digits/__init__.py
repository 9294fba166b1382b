"""1,797 handwritten digits, 8 by 8: the data set of the demo, small enough to ship with kvcs.

It is the test part of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak
(UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49), under CC BY 4.0;
`ATTRIBUTION.md` beside this file says more, and has to stay with the data.
"""

from __future__ import annotations

import io
from importlib import resources
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Images: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.uint8]

TEST_SIZE = 360
FULL = np.float32(16)  # a stored pixel counts the inked dots in a block of 4 by 4


def load() -> tuple[tuple[Images, Labels], tuple[Images, Labels]]:
    """Return `(x_train, y_train), (x_test, y_test)`, as the data sets of Keras do.

    The images are float32 of shape (n, 8, 8, 1), from 0 (paper) to 1 (ink) in steps of 1/16;
    the labels are uint8 of shape (n,), from 0 to 9. There are 1,437 images to train with and
    360 to test with, and each call returns new arrays.

    The split is always the same: the last 360 images are the test part, and nothing is shuffled.
    13 people wrote the digits, and the images stand in that order, one filled-in form of about
    130 digits after the other. The test part is the last two forms and all but the first 22
    digits of the third-last, so it is harder than a shuffled one, but not free of writers whom
    the training part knows.
    """
    images = (_read("images.npy").astype(np.float32) / FULL)[..., np.newaxis]
    labels = _read("labels.npy")
    return (
        (images[:-TEST_SIZE], labels[:-TEST_SIZE]),
        (images[-TEST_SIZE:], labels[-TEST_SIZE:]),
    )


def _read(name: str) -> NDArray[np.uint8]:
    # By its bytes, since a package need not be a directory of files.
    data = resources.files(__name__).joinpath(name).read_bytes()
    array: NDArray[np.uint8] = np.load(io.BytesIO(data), allow_pickle=False)
    return array
