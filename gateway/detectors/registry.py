"""Every detector by the name that people type."""

from gateway.detectors.detector import Detector
from gateway.detectors.half_space_trees import HalfSpaceTrees
from gateway.detectors.loda import Loda
from gateway.detectors.mahalanobis import RunningMahalanobis
from gateway.detectors.prototypes import Prototypes
from gateway.detectors.whitened_distance import WhitenedDistance

#: The recipe is made of the whitened distance and the prototypes; the others are second opinions, and choices.
DETECTORS: dict[str, type[Detector]] = {
    detector.name: detector for detector in (WhitenedDistance, Prototypes, RunningMahalanobis, HalfSpaceTrees, Loda)
}
