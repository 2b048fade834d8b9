"""Derives the constants of mouths, sharpness, compression and outline in ``matcher/conformance``.

Those of mouths are in ``vision/mouth_colours.py``. Run ``python -m research.portrait_measures --assets DIR``.
"""
