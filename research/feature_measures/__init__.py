"""Measures how well the conformance measures of eyes and expression work on photos and clips.

``python -m research.feature_measures --assets DIR`` prints the figures that ``docs/conformance.md`` and the
measures' docstrings state.
"""
