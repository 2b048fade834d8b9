from tests.server.live_fixtures import live, scene

__all__ = ["live", "scene"]
