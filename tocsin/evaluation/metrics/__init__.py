"""What an evaluation counts: pure functions of arrays, each with the source that defines it."""
