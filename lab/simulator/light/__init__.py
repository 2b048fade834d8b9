"""The light in front of the phone: the screen as a lamp, the surroundings, surfaces, and the camera."""
