"""``facegate result``: the commands on saved results."""
