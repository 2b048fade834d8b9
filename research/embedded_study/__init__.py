"""What can be got from dlib's embedder: one change at a time, on the same comparisons.

Run as ``python -m research.embedded_study --assets DIR``.
"""
