"""``facegate attest``: what a device's evidence says, and what holds of it."""
