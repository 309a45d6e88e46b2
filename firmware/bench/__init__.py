"""Counts the instructions of the kernels on emulated cores, to the instruction."""
