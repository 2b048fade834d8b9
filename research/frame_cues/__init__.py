"""Sets the lines of the single-frame cues of recapture; run ``python -m research.frame_cues``."""
