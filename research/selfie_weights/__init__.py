"""Chooses the weights of the eight signals and says what they are worth.

``python -m research.selfie_weights --help``
"""
