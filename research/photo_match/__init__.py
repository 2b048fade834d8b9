"""Measures and makes the packaged calibrations of photo against photo (``docs/accuracy.md``)."""
