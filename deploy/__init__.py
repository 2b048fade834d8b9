"""Packs Facegate: the container image, and the lists of its contents."""
