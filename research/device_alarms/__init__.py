"""How often the camera and stream checks of ``device_integrity`` fail on honest material."""
