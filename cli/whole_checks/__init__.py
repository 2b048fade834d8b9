"""Whole checks over real photos and clips: upload, scan and verdict through gRPC, counted."""
