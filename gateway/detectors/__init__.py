"""What the gateway thinks of a reading: one detector a file, and the recipe that a device is judged by.

Nothing here reads a clock, a disk or a socket: values come in, values go out (docs/detection.md).
"""
