"""``facegate conformance``: a strict server that tests the client of an SDK author.

Each scenario is a script that plays the server's side of one scan, over the listeners of a real server. Every
message of the client is compared with the rules of docs/device_protocol.md. No frame is judged.
"""
