"""Firmware onto a board: the tools found, the steps planned, run and verified."""
