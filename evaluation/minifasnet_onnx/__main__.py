"""Runs the command."""

from evaluation.minifasnet_onnx import main

raise SystemExit(main())
