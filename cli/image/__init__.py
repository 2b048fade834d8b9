"""``facegate image``: look into a trusted image, check it, and turn it into another form."""
