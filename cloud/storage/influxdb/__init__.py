"""Readings in InfluxDB 2 or 1.8: line protocol, requests, queries, and the store that joins them with the ledger."""
