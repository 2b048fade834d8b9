"""Test devices for the reference client: their evidence, claims and frames, and their platform."""
