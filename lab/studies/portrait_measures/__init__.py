"""Derives the constants of mouths, sharpness, compression and outline in ``matcher/conformance``.

Those of mouths are in ``vision/mouth_colours.py``. Run it by
``python -m lab.studies.portrait_measures --assets DIR``.
"""
