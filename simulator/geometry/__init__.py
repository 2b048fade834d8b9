"""Shapes in front of the camera and how they project into its frames."""
