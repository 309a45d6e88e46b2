"""All tiers on one machine: what `tocsin demo` runs, watches and sums up."""
