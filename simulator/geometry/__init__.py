"""Shapes in front of the camera, and their projection into its frames."""
