"""Where constants and figures of the conformance measures come from: mouths, sharpness, compression, outline.

Run as ``python -m evaluation.portrait_measures --assets DIR``.
"""
