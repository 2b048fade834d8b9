"""What each cue over time measures on live clips, recorded attacks, photo attacks and simulated ones."""
