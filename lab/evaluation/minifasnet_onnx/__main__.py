"""Runs the command."""

from lab.evaluation.minifasnet_onnx import main

raise SystemExit(main())
