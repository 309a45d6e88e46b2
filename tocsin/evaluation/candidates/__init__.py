"""What an evaluation compares: the code that a plant runs, single detectors, and baselines that know nothing."""
