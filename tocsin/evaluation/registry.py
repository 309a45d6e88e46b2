"""Every candidate by the name that people type."""

from shared.errors import UsageError
from tocsin.evaluation.candidates.baselines import BASELINES
from tocsin.evaluation.candidates.deployed import Deployed
from tocsin.evaluation.candidates.detectors import SINGLES
from tocsin.evaluation.trial import Candidate

TIERS = ("sensor", "gateway", "both")
CANDIDATES: dict[str, Candidate] = {
    **{f"recipe/{tier}": Deployed(tier) for tier in TIERS},
    **{f"{candidate.name}/{candidate.tier}": candidate for candidate in SINGLES},
    **{f"{candidate.name}/{candidate.tier}": candidate for candidate in BASELINES},
}


def candidate_named(key: str) -> Candidate:
    """The candidate of a key ``name/tier``."""
    return CANDIDATES[key]


def chosen(detectors: list[str], tier: str | None) -> list[str]:
    """Keys of the candidates of these names (all without one) and this tier (all without one); baselines always.

    Raises
    ------
    UsageError
        There is no detector or tier of that name, or none of both together.
    """
    names = sorted({candidate.name for candidate in CANDIDATES.values() if candidate.tier != "baseline"})
    for name in detectors:
        if name not in names:
            raise UsageError(f"there is no detector {name!r}; --detector is one of {', '.join(names)}")
    if tier is not None and tier not in TIERS:
        raise UsageError(f"there is no tier {tier!r}; --tier is sensor, gateway or both")
    keys = [
        key
        for key, candidate in CANDIDATES.items()
        if candidate.tier != "baseline"
        and (not detectors or candidate.name in detectors)
        and (tier is None or candidate.tier == tier)
    ]
    if not keys:
        raise UsageError(f"no detector of that name judges for the tier {tier}; leave one of the two options out")
    return keys + [key for key, candidate in CANDIDATES.items() if candidate.tier == "baseline"]
