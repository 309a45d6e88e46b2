"""Releases on their way to the gateways."""
