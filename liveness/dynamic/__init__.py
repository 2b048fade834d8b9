"""The active liveness check: the screen's colours, their reflection on the face, and what it proves."""
