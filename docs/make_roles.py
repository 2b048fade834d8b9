"""Writes docs/reference/roles.md.

Calls come from the descriptors of the services, scopes from ``server.edge.listeners`` and roles from
``server.access.callers``.
"""

import ast
import inspect
from collections.abc import Iterator
from enum import Enum
from itertools import zip_longest
from pathlib import Path
from types import ModuleType

from server.access import callers
from server.access.callers import SCOPES as OF_ROLE
from server.access.callers import Role, Scope
from server.edge.listeners import DEVICE_METHODS, SCOPES, SERVICES

PAGE = Path(__file__).resolve().parent / "reference" / "roles.md"

_INTRODUCTION = """\
# Roles and calls

A caller of the service listener is the holder of an API key or of a client certificate, and its entry names
its roles ([how to write one](../operating.md#api-keys-and-client-certificates)). A call needs a scope; each
role has some, and an entry that lists `scopes` narrows its roles to those. Without the scope, a call is
PERMISSION_DENIED; without known credentials, UNAUTHENTICATED. On the other listener, every call is
UNIMPLEMENTED with the reason WRONG_LISTENER.

`make reference` writes this page from `protos/`, `server/edge/listeners.py` and `server/access/callers.py`;
do not edit it by hand.

"""

_OTHERS = """
On the device listener, `ScanFace` needs the scan token of its check and no role. Health needs no credentials
on either listener, and reflection, which only a server on loopback has, any known ones. The commands of
`facegate` need access to the machine, keys and database instead of a role; the audit log names their user.
"""


def member_texts(module: ModuleType, kind: type[Enum]) -> Iterator[tuple[str, str]]:
    """The names of an enumeration's members, each with the text below it.

    Raises:
        TypeError: A member has no text.
    """
    tree = ast.parse(inspect.getsource(module))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    body = next(node.body for node in classes if node.name == kind.__name__)
    for pair in zip_longest(body[1::2], body[2::2]):
        match pair:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, text
            case _:
                raise TypeError(f"{kind.__name__} is not members, each with its text below it")


def roles_page() -> str:
    """The whole page."""
    lines = [_INTRODUCTION, "| Role | |\n| --- | --- |\n"]
    lines += [f"| `{Role[name].value}` | {text} |\n" for name, text in member_texts(callers, Role)]
    calls: dict[Scope, list[str]] = {scope: [] for scope in Scope}
    for service in SERVICES:
        for method in service.methods:
            path = f"/{service.full_name}/{method.name}"
            if path not in DEVICE_METHODS:
                calls[SCOPES[path]].append(f"`{method.name}`")
    lines.append("\n| Scope | Calls |" + "".join(f" `{role.value}` |" for role in Role))
    lines.append("\n| --- | --- |" + " --- |" * len(Role) + "\n")
    for scope, methods in calls.items():
        cells = ["yes" if scope in OF_ROLE[role] else "" for role in Role]
        lines.append(f"| `{scope.value}` | {', '.join(methods)} | {' | '.join(cells)} |\n")
    return "".join(lines) + _OTHERS


if __name__ == "__main__":
    PAGE.write_text(roles_page())
