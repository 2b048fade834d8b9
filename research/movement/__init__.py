"""How well the movement challenge tells simulated people from images; ``python -m research.movement``."""
