"""Measures the flash challenge on simulated persons and attackers; run ``python -m lab.studies.dynamic``."""
