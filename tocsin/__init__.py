"""The command line, the demo and the doctor: the only place that may join two tiers."""
