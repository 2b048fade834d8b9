"""A mutation fuzzer for everything that reads bytes from outside.

Every case is made from its target, a seed and a number alone, so that each can be made again:
``python -m tests.fuzz --target TARGET --seed SEED --case NUMBER``.
"""
