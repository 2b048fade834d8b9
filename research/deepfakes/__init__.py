"""Measures whether deepfake and face-swap files can be recognised without trained weights."""
