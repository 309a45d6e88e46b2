"""Dashboards for a Grafana beside the cloud: data source, two dashboards, files for provisioning, and `apply`."""
