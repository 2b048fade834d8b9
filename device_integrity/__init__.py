"""What the device claims, verified. Imports no other room, does no I/O and reads no clock."""
