"""A mutation fuzzer for all code that reads untrusted bytes.

Every case depends only on its target, a seed and a number, so that it can be repeated:
``python -m tests.fuzz --target TARGET --seed SEED --case NUMBER``.
"""
