"""Derives the constants and figures of the conformance measures: mouths, sharpness, compression, outline.

Run as ``python -m research.portrait_measures --assets DIR``.
"""
