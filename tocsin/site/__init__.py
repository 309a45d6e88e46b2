"""A site: its secrets and configuration, and the topology of docker-compose.yml without Docker."""
