"""Chooses the weights of the eight signals and says what they are worth.

``python -m evaluation.selfie_weights --help``
"""
