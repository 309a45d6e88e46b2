"""The golden vector of an image: one healthy reading with the output and score that a device must find for it."""

import numpy as np
from numpy.typing import NDArray

from cloud.errors import CloudError
from shared.model_image import ImageContent
from shared.quantized import arrays
from shared.quantized.scorer import Scorer

#: Readings looked at: enough to find one that exercises many values.
_CANDIDATES = 512


def with_golden(content: ImageContent, features: NDArray[np.int64]) -> None:
    """Put the most telling of healthy readings (readings, features) into `content`, and check it by the reference.

    Telling: most distinct values in its output, so that a wrong layer cannot give the same bytes; the first of equals.

    Raises
    ------
    CloudError
        The reference and its NumPy form disagree: a defect, never data.
    """
    rows = features[np.linspace(0, len(features) - 1, min(len(features), _CANDIDATES)).astype(np.int64)]
    outputs = arrays.infer(content, rows)
    distinct = [len(np.unique(output)) for output in outputs]
    scores, _ = arrays.scores(content, rows)
    chosen = int(np.argmax(np.where(scores > 0, distinct, 0)))
    content.golden_features = rows[chosen].tolist()
    content.golden_output = outputs[chosen].tolist()
    content.golden_score = int(scores[chosen])
    if Scorer(content).golden_fails():
        raise CloudError("The golden reading fails on its own model: shared.quantized disagrees with itself.")
