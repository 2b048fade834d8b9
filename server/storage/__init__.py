"""Storage: the database of checks and the store of objects."""
