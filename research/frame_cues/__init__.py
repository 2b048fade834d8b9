"""Measures the single-frame cues of recapture on labelled images, on clips and on simulated media.

Start with ``python -m research.frame_cues``.
"""
