"""Runs the command."""

from evaluation.minifasnet_onnx.conversion import main

raise SystemExit(main())
