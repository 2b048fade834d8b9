"""Measures how well the movement challenge separates simulated people from flat images."""
