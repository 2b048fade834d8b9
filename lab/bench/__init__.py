"""``facegate bench``: measures the cost of a server against the cost of its models.

It measures the CPU time of a scan against a naive pipeline, latency and throughput under each load, and the
cost of a portrait. ``lab.evaluation.bench`` has the clocks, figures and reports.
"""
