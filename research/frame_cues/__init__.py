"""What the single-frame cues of recapture tell on labelled images, on clips and on simulated media.

Start with ``python -m research.frame_cues``.
"""
