"""How well the conformance measures of eyes and expression do on photos and clips: a command.

``python -m research.feature_measures --assets DIR`` prints the figures that ``docs/conformance.md`` and the
measures' docstrings state.
"""
