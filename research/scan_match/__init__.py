"""Measures the matcher on whole scans against portraits, and on scans in which the person changes."""
