"""The console: a page for people of compliance, and its JSON interface.

The interface serves the calls of ``server.edge.calls`` with the rights that the same caller has on gRPC, and
decides nothing itself. ``docs/console.md`` describes the log-in and the limits.
"""

from server.edge.console.interface import ConsoleInterface
from server.edge.console.listener import ConsoleListener
from server.edge.console.log_in import Admission, LogIn, OidcLogIn
from server.edge.console.sessions import ConsoleSessions

__all__ = ["Admission", "ConsoleInterface", "ConsoleListener", "ConsoleSessions", "LogIn", "OidcLogIn"]
