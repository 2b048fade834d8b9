"""``facegate audit``: verify, show and export the audit log."""
