"""What a person and a room look like: cut-out, eyelids, expressions, walls."""
