"""The keys of the server: their files, their encryption and rotation, and what they sign and seal."""
