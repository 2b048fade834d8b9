"""Measures when a scan shows a picture: one that a script warps, and the trusted image itself."""
