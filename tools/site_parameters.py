"""The reference lists parameters: a griffe extension for mkdocstrings, see mkdocs.yml.

Our docstrings say `capacity: if given, it must be the ring's. lock: "append" takes ...` in one paragraph,
which reads well in a terminal. On the page each parameter becomes an item of a list.
"""

from __future__ import annotations

import re
from typing import Any

import griffe


class Parameters(griffe.Extension):
    """Breaks the paragraphs of docstrings up, where they come to a parameter of the function or class."""

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **kwargs: Any) -> None:
        for member in pkg.members.values():
            self._go_over(member)

    def _go_over(self, member: griffe.Object | griffe.Alias) -> None:
        if member.is_alias:
            return
        if isinstance(member, (griffe.Module, griffe.Class)):
            for inner in member.members.values():
                self._go_over(inner)
        if isinstance(member, (griffe.Class, griffe.Function)) and member.docstring:
            names = [parameter.name for parameter in member.parameters if parameter.name != "self"]
            member.docstring.value = as_items(member.docstring.value, names)


def as_items(text: str, names: list[str]) -> str:
    """The text with a list item for each of these names that begins a sentence and is followed by a colon."""
    if not names:
        return text
    one = "|".join([*map(re.escape, names), r"keep_\.\.\."])
    item = re.compile(rf"(?:(?<=\n)|(?<=[.;] )|(?<=\.\n))(?P<names>(?:{one})(?:, (?:{one}))*):\s")

    def break_up(found: re.Match[str]) -> str:
        return "\n\n- " + ", ".join(f"`{name}`" for name in found["names"].split(", ")) + ": "

    return re.sub(r"\n{3,}", "\n\n", item.sub(break_up, text))
