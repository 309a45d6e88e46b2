"""Windows and features in integers: one definition, told in plain Python (also MicroPython), NumPy and C."""
