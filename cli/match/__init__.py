"""``facegate evaluate match`` and ``facegate calibrate match``: measure face matching on your photos."""
