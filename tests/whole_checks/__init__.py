"""Whole checks over real photos and clips: upload, scan and result through gRPC, counted."""
