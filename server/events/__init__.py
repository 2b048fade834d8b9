"""The delivery of events by webhooks (https://www.standardwebhooks.com).

``server.storage.events`` is the outbox.
"""
