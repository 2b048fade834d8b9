"""Stateless analyses of one selfie or one video: no check, no storage, no protobuf."""
