"""The gRPC edge: protobuf conversion, listeners, error mapping and the identification of callers.

It makes no decision about a check.
"""
