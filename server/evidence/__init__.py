"""Evidence: kept pictures, sealed."""
