"""How Facegate is packed: the image, and the lists of what is in it."""
