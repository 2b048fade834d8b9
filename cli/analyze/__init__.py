"""``facegate analyze``: judges whether images, videos and still frames show a living person."""
