"""The sensor: samples, features, an int8 model, a score; in MicroPython, in C, and as a process of this machine."""
