"""``facegate result``: results that were saved."""
