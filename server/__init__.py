"""The server: checks, scans, storage, evidence and the gRPC edge."""
