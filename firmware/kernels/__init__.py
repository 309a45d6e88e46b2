"""Dense layers packed for a processor, and where they come from."""
