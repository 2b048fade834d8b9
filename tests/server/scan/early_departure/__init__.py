"""Measures how early an attempt that was left may be decided against; see ``docs/accuracy.md``."""
