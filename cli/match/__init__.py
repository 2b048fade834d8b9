"""``facegate evaluate match`` and ``facegate calibrate match``: "same person?" on your photos."""
