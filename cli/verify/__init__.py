"""`facegate verify`: makes a whole check, as an orchestrator and a device do."""
