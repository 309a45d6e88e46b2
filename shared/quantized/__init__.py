"""The int8 arithmetic of layers, equal to LiteRT `BUILTIN_REF`, and the score."""
