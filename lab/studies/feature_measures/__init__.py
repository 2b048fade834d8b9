"""Derives the constants of eyes and expression in ``matcher/conformance``, on photos and clips.

``python -m lab.studies.feature_measures --assets DIR`` prints the figures that ``docs/trusted_images.md`` and
the measures' docstrings state.
"""
