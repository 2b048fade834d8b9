"""Measures face matching on photos of known persons, with the metrics of ISO/IEC 19795-1."""
