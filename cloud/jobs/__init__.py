"""Trainings: asked for over the API, run in a process of their own, their outcome put into the registry."""
