"""``facegate evaluate pad``: measures presentation attack detection on your images and clips."""
