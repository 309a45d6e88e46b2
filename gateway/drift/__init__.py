"""Drift: whether a device still is what was told normal, since when not, and what the change looks like.

Scores do not depend on any of it, nothing here reads a clock, a disk or a socket (docs/detection.md).
"""
