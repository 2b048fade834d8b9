"""Where constants and figures of the conformance measures come from: mouths, sharpness, compression, outline.

Run as ``python -m research.portrait_measures --assets DIR``.
"""
