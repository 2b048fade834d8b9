"""Study of covered faces: what hides eyes and mouths, on photos, painted covers and clips."""
