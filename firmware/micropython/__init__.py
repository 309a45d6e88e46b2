"""The device as it runs on a board under MicroPython and, unchanged, under CPython: the twin."""
