"""How well the movement challenge tells simulated people from pictures; ``python -m research.movement``."""
