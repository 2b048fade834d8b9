"""ISO/IEC 19795-1 measurements of "same person?" over photos with identities."""
