"""Whole scans against portraits, and scans in which the person changes: what the matcher makes of them."""
