"""Pixels to faces: bounded image decoding, detection, landmarks, alignment, packs, ONNX sessions.

Start with ``vision.image.decode_image`` for bytes, ``vision.packs.load_pack`` for models and
``vision.face`` for the types that travel between the rooms.
"""
