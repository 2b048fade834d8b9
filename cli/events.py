"""``facegate events``: the events of webhooks, their endpoints, and their replay, over gRPC."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer
from facegate.v1 import event_service_pb2
from rich.table import Table
from rich.text import Text

from cli.connection import call_server, remote_group
from cli.errors import CommandError, errors_reported
from cli.options import JsonOption
from cli.shown import counted, list_table, wide_console
from cli.verdict import enum_word, print_messages, time_words
from facegate_client import Events
from server.domain.events import EventState

_WIDTH = 200


def list_command(
    context: typer.Context,
    *,
    endpoint: Annotated[str, typer.Option(help="Name of the endpoint.", show_default=False)] = "",
    state: Annotated[
        EventState | None, typer.Option(case_sensitive=False, help="State of the events.")
    ] = None,
    check: Annotated[str, typer.Option(help="Identifier of the check.", show_default=False)] = "",
    last: Annotated[int, typer.Option(min=1, max=100_000, help="Number of events.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List events, the newest first. Delivered ones are kept for 7 days, dead ones for 30.

    For example:

        facegate events list

        facegate events list --state DEAD --endpoint backend

        facegate events list --check 8366b788-9c1b-42af-b63f-d9078de4adac --json

    The exit status is 0, or 2 for an error.
    """
    request = event_service_pb2.ListEventsRequest(endpoint=endpoint, check_id=check, page_size=min(last, 200))
    if state is not None:
        request.state = event_service_pb2.EventState.Value(f"EVENT_STATE_{state}")

    async def work(events: Events) -> list[event_service_pb2.Event]:
        return [event async for event in events.all_events(request, most=last)]

    found = call_server(context, Events, work)
    table = partial(_events_table, narrow=wide_console().width < _WIDTH)
    print_messages(found, as_json=as_json, table=table, nothing="No event matches.")


def replay_command(
    context: typer.Context,
    event_id: Annotated[
        str, typer.Argument(metavar="[EVENT]", help="Identifier of the event.", show_default=False)
    ] = "",
    *,
    endpoint: Annotated[
        str, typer.Option(help="Replay all undelivered events of this endpoint.", show_default=False)
    ] = "",
) -> None:
    """Send an event again, or all events that an endpoint has not taken: dead ones, and those that wait.

    They keep their identifiers, so that the receiver knows those that it has already. For example:

        facegate events replay 0b7ab3a5-5a8f-4d0e-8f0c-6f8e7a3c7a11

        facegate events replay --endpoint backend

    The exit status is 0, or 2 for an error.
    """
    with errors_reported():
        if bool(event_id) == bool(endpoint):
            raise CommandError("name one event, or the endpoint with --endpoint")
    named = {"event_id": event_id} if event_id else {"endpoint": endpoint}
    request = event_service_pb2.ReplayEventsRequest(**named)
    replayed = call_server(context, Events, lambda events: events.replay(request))
    typer.echo(f"{counted(replayed, 'event')} will be sent now.")


def endpoints_command(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """List the endpoints of your tenant: what waits, what was given up, and what they answered last.

    For example:

        facegate events endpoints

        facegate events endpoints --service api.example:8444 --ca ca.pem --api-key-file key.txt

    The exit status is 0, or 2 for an error.
    """
    found = call_server(context, Events, lambda events: events.endpoints())
    nothing = "No endpoint of your tenant: the settings name them (webhooks.endpoints)."
    print_messages(found, as_json=as_json, table=_endpoints_table, nothing=nothing)


def _events_table(events: Sequence[event_service_pb2.Event], *, narrow: bool) -> Table:
    names = ["Event", "Check", "Since (UTC)", "Next (UTC)", "Endpoint", "Type", "State", "Attempts", "Answer"]
    rows = [
        [
            event.event_id,
            event.check_id or "-",
            time_words(event.create_time),
            time_words(event.next_time) if event.HasField("next_time") else "-",
            event.endpoint,
            event.type,
            enum_word(event, "state"),
            str(event.attempts),
            event.answer,
        ]
        for event in events
    ]
    if narrow:
        # Two lines for each event: identifiers are copied, so they must not be broken.
        names, *rows = [
            [f"{row[at]}\n{row[at + 1]}" for at in range(0, 8, 2)] + row[8:] for row in (names, *rows)
        ]
    table = list_table(*names)
    for column in table.columns[: 2 if narrow else 4]:
        column.no_wrap = True
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _endpoints_table(endpoints: Sequence[event_service_pb2.Endpoint]) -> Table:
    table = list_table(
        "Endpoint", "URL", "State", "Waiting", "Oldest (UTC)", "Dead", "Last answer", "At (UTC)"
    )
    for endpoint in endpoints:
        table.add_row(
            endpoint.name,
            Text(endpoint.url),
            enum_word(endpoint, "state"),
            str(endpoint.waiting),
            time_words(endpoint.oldest_time) if endpoint.HasField("oldest_time") else "-",
            str(endpoint.dead),
            Text(endpoint.answer or "-"),
            time_words(endpoint.answer_time) if endpoint.HasField("answer_time") else "-",
        )
    return table


app = remote_group("List and replay the events of webhooks.")
app.command("list")(list_command)
app.command("replay")(replay_command)
app.command("endpoints")(endpoints_command)
