"""``facegate doctor``: examines a deployment, one module for each area."""
