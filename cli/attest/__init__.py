"""``facegate attest``: inspects the evidence of devices, and makes test evidence."""
