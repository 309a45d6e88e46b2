"""From scores to alarms for people: evidence that lasts, and one alarm of an asset that explains itself.

Nothing here reads a clock, a disk or a socket (docs/detection.md).
"""
