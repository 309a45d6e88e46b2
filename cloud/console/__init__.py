"""The operator console: one page in the application of the API."""
