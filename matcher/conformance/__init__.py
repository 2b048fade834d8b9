"""The conformance report of a trusted image, component by component of ISO/IEC 29794-5."""
