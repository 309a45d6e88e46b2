"""One score of a reading from two judges: the device's own model and the gateway's.

The gateway's score is calibrated out of block, on readings that its model has not seen; the sensor's model was
trained on the
very healthy readings that the gateway is commissioned with, so what it says below its threshold is not comparable. It
therefore speaks up only above it:

    fused**2 = gateway**2 + max(0, sensor**2 - 1)

A sensor that does not flag leaves the gateway's score as it is; a fault that the sensor alone sees passes the
threshold by itself.
"""

import math

import numpy as np
from numpy.typing import NDArray


def fuse(sensor_score: NDArray[np.float64], gateway_score: NDArray[np.float64]) -> NDArray[np.float64]:
    """The fused score of each reading (1.0 = threshold); where one score is NaN the other stands, NaN where both are.

    >>> fuse(np.array([0.6, np.nan, 2.0, 2.0]), np.array([0.8, 2.0, 0.5, np.nan])).round(3).tolist()
    [0.8, 2.0, 1.803, 2.0]
    """
    excess = np.maximum(sensor_score * sensor_score - 1.0, 0.0)
    both = np.sqrt(gateway_score * gateway_score + excess)
    alone = np.where(np.isnan(gateway_score), sensor_score, gateway_score)
    return np.asarray(np.where(np.isnan(sensor_score) | np.isnan(gateway_score), alone, both))


def fuse_one(sensor_score: float, gateway_score: float) -> float:
    """`fuse` of a single reading, equal to the bit and quicker than an array of one.

    >>> fuse_one(math.nan, 2.0)
    2.0
    """
    if math.isnan(sensor_score):
        return gateway_score
    if math.isnan(gateway_score):
        return sensor_score
    return math.sqrt(gateway_score * gateway_score + max(sensor_score * sensor_score - 1.0, 0.0))
