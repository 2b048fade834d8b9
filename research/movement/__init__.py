"""Measures how well the movement challenge separates simulated people from flat images.

The lines of ``[movement]`` in ``liveness/dynamic/flash_model.toml`` rest on it.
"""
