"""Where readings come from: one transport a file."""
