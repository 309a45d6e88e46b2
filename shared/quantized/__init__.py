"""The int8 arithmetic of dense layers: single rounding, equal to LiteRT `BUILTIN_REF`."""
