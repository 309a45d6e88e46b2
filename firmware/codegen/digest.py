"""The digest in the first line of a generated file: of the values it was made from, not of their source text."""

import hashlib


def digest_of(values: object) -> str:
    """Twelve hexadecimal digits of SHA-256 over the values as Python prints them.

    >>> digest_of([1, 2])
    'sha256:3a316d6d3226'
    """
    return "sha256:" + hashlib.sha256(repr(values).encode()).hexdigest()[:12]
