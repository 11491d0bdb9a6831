"""``ringlog bridge``: the verbs that keep rings on several machines the same."""

from __future__ import annotations

import importlib

import click

from ringlog.cli.errors import ExitCode
from ringlog.cli.manual import manual

VERBS = ("push", "pull", "status", "server")


class BridgeVerbs(click.Group):
    """One module a verb, imported when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"ringlog.cli.bridge_{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


@click.group(
    "bridge",
    cls=BridgeVerbs,
    short_help="Keep a copy of a ring on other machines, by NATS.",
    no_args_is_help=False,
    epilog=manual(
        ("ringlog bridge push /dev/shm/ticks -s nats://hub:4222", "where it is written"),
        ("ringlog bridge pull /dev/shm/ticks -s nats://hub:4222", "on each other machine"),
        ("ringlog bridge status", "how far they are"),
        ("ringlog help bridge push", "what there is to choose"),
        codes=(ExitCode.DONE,),
    ),
)
def command() -> None:
    """Keep a copy of a ring on other machines, with NATS JetStream between them.

    push sends what is written to a ring to a NATS server, which keeps it; pull, on each other machine, fills
    a ring of the same stream with it, whose readers are as fast as those of the first. Either may be stopped,
    killed and started again in any order: they go on where the copy is, and nothing is lost or doubled as
    long as the server keeps it. Needs the extra nats: pip install 'ringlog[cli,nats]'.
    """
