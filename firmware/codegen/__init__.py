"""Writes the tables and constants that C and Python share: `python -m firmware.codegen` rewrites them all."""
