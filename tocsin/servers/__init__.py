"""InfluxDB as a program of this machine: found, built once, cached outside the repository, started, set up."""
