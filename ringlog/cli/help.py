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
        codes=(ExitCode.DONE,),
    ),
)
@click.argument("verb", required=False)
def command(verb: str | None) -> None:
    """Show the help of VERB, or of ringlog itself."""
    root = click.get_current_context().find_root()
    page: click.Command = root.command
    context = root
    if verb is not None:
        assert isinstance(root.command, click.Group)
        found = root.command.get_command(root, verb)
        if found is None:
            raise click.UsageError(f"No such command {verb!r}.", root)
        page, context = found, click.Context(found, info_name=verb, parent=root)
    click.echo(page.get_help(context))
