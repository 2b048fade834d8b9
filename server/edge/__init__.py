"""The gRPC edge: protobuf to domain and back, listeners, errors, callers. Nothing decides here."""
