"""``facegate evaluate pad``: presentation attack detection on your pictures and clips."""
