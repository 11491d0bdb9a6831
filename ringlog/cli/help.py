"""``ringlog help``: the help of a verb, by its other name."""

from __future__ import annotations

import click

from ringlog.cli.errors import ExitCode
from ringlog.cli.manual import manual


@click.command(
    "help",
    short_help="Show the help of a verb.",
    epilog=manual(
        ("ringlog help", "which verbs there are"),
        ("ringlog help tail", "as ringlog tail --help"),
        ("ringlog help bridge push", "of a verb that has verbs of its own"),
        codes=(ExitCode.DONE,),
    ),
)
@click.argument("verbs", metavar="[VERB]...", nargs=-1)
def command(verbs: tuple[str, ...]) -> None:
    """Show the help of VERB, or of ringlog itself."""
    context = click.get_current_context().find_root()
    page: click.Command = context.command
    for verb in verbs:
        found = page.get_command(context, verb) if isinstance(page, click.Group) else None
        if found is None:
            raise click.UsageError(f"No such command {verb!r}.", context)
        page, context = found, click.Context(found, info_name=verb, parent=context)
    click.echo(page.get_help(context))
