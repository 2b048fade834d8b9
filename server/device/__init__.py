"""What the verifiers of device integrity need from outside."""

from server.device.google_play import GooglePlayDecoder, open_google_play_decoder

__all__ = ["GooglePlayDecoder", "open_google_play_decoder"]
