"""Who may call the service listener: API keys, client certificates, roles and scopes."""
