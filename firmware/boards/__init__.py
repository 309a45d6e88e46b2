"""The boards that the firmware runs on: one description each, found by name."""
