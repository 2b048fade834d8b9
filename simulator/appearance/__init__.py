"""The appearance of a person and a room: cut-out, eyelids, expressions, walls."""
