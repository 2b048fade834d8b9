"""``facegate image``: inspects, tests and converts trusted images."""
