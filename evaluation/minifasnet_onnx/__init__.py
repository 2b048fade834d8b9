"""Converts Silent-Face's published PAD weights to ONNX files.

::

    python -m evaluation.minifasnet_onnx WEIGHTS.pth OUT.onnx

The catalogue lists the digest of the result beside that of the published ONNX file, so a pack loads either. A
folder pack loads the ``.pth`` file itself, too.
"""

from evaluation.minifasnet_onnx.conversion import converted_network, main

__all__ = ["converted_network", "main"]
