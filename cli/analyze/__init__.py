"""``facegate analyze``: is the person in this picture, video or set of stills really there?"""
