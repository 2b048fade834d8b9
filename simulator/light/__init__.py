"""Light before the phone: the screen as a lamp, the surroundings, surfaces, and the camera that sees it."""
