"""ISO/IEC 19795-1 measurements of the comparison of faces, over photos with identities."""
