"""One score of a reading from two judges: the device's own model and the gateway's."""

import math

import numpy as np
from numpy.typing import NDArray


def fuse(sensor_score: NDArray[np.float64], gateway_score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root mean square of two scores (1.0 = threshold); where one is NaN the other stands, NaN where both are.

    The mean square lies nearer to the higher score: a fault that only one judge can see still passes once that one is
    at 1.41, and two judges that both hesitate just below 1 do not add up to a detection.

    >>> fuse(np.array([0.6, np.nan, 0.2]), np.array([0.8, 2.0, 2.0])).round(3).tolist()
    [0.707, 2.0, 1.421]
    """
    sensor = np.where(np.isnan(sensor_score), gateway_score, sensor_score)
    gateway = np.where(np.isnan(gateway_score), sensor_score, gateway_score)
    return np.asarray(np.sqrt(0.5 * (sensor * sensor + gateway * gateway)))


def fuse_one(sensor_score: float, gateway_score: float) -> float:
    """`fuse` of a single reading, equal to the bit and quicker than an array of one.

    >>> fuse_one(math.nan, 2.0)
    2.0
    """
    if math.isnan(sensor_score):
        sensor_score = gateway_score
    if math.isnan(gateway_score):
        gateway_score = sensor_score
    return math.sqrt(0.5 * (sensor_score * sensor_score + gateway_score * gateway_score))
