"""Twenty simulated pumps: every kind of fault alarmed before a plain RMS alarm sees it, and silence without a fault."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
import simulated_plant

SEEDS = range(20)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_seeds_alarm_every_fault_before_the_rms_baseline_and_nothing_else() -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(simulated_plant.run_seed, SEEDS))
    complaints = []
    for outcomes, process_alarms in results:
        for outcome in outcomes:
            what = f"seed {outcome.seed}, {outcome.fault}: alarm {outcome.alarm_s}, RMS {outcome.rms_s}"
            if outcome.fault == "healthy":
                if outcome.alarm_s is not None:
                    complaints.append(f"false alarm: {what}")
            elif outcome.alarm_s is None:
                complaints.append(f"missed: {what}")
            elif outcome.alarm_s < simulated_plant.ONSET_S:
                complaints.append(f"before the onset: {what}")
            elif outcome.rms_s is not None and outcome.rms_s <= outcome.alarm_s:
                complaints.append(f"later than RMS: {what}")
        if process_alarms:
            complaints.append(f"false alarm of the process device of seed {outcomes[0].seed}")
    assert not complaints, "\n".join(complaints)
    assert len({outcome.fault for outcome in results[0][0]}) == 7
