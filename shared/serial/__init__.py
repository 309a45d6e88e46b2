"""Messages over a serial line: frames that survive garbage."""
