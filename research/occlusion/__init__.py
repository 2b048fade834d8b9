"""Fits ``MOUTH_COEFFICIENTS`` in ``liveness/occlusion.py``, on photos, painted covers and clips."""
