"""Test devices in front of the reference client: their evidence, words and frames, and their platform."""
