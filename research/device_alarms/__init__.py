"""Measures how often the camera and stream tests of ``device_integrity`` fail on honest material."""
