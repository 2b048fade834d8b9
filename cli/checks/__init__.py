"""``facegate checks``: finds, reads, keeps and erases the evidence of decided checks, over gRPC."""
