"""The twin as a process of this machine: MQTT link, journal, and recordings played as its sensor."""
