"""``ringlog completion``: the script that lets a shell complete verbs, options and paths."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ringlog.cli.errors import ExitCode
from ringlog.cli.manual import manual
from ringlog.cli.output import Output, json_option, print_json

VARIABLE = "_RINGLOG_COMPLETE"
PLACES = {
    "bash": "~/.local/share/bash-completion/completions/ringlog",
    "zsh": "a directory of $fpath, as _ringlog",
    "fish": "~/.config/fish/completions/ringlog.fish",
}


@click.command(
    "completion",
    short_help="Print the script that completes ringlog's commands in a shell.",
    epilog=manual(
        ('eval "$(ringlog completion bash)"', "for this shell"),
        (f"ringlog completion bash > {PLACES['bash']}", "for every bash to come"),
        ('ringlog completion zsh > "${fpath[1]}/_ringlog"', "for zsh, with compinit"),
        (f"ringlog completion fish > {PLACES['fish']}", "for fish"),
        codes=(ExitCode.DONE,),
    ),
)
@click.argument("shell", type=click.Choice(list(PLACES)))
@json_option
def command(shell: str, as_json: bool) -> None:
    """Print the script by which SHELL completes verbs, options, choices and paths of ringlog.

    Needs bash 4.4 or later, or any zsh or fish.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    parent = click.get_current_context().find_root().command
    script = kind(parent, {}, "ringlog", VARIABLE).source()
    if as_json:
        print_json({"shell": shell, "place": PLACES[shell], "script": script})
    else:
        Output().write(script.encode() + b"\n")
