"""Measures each cue over time on live clips, recorded attacks, photo attacks and simulated attacks."""
