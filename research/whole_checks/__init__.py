"""Runs whole checks of simulated persons over the wire. See ``docs/accuracy.md``."""
