"""Measures when a scan shows a picture: one that a script warps, and the trusted image itself.

The lines in ``liveness/shown_picture.py`` rest on it.
"""
