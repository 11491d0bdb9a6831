"""What mkdocs does for the documentation site besides: see mkdocs.yml.

- A name in the navigation that ends in "/" becomes the pages of that folder.
- Pages link to files of the repository, which are not on the site: such a link becomes its text. One to a
  file that does not exist is a warning, so it ends a strict build.
- `<!-- bench:NAME -->` becomes the table of that name in the README: figures stand in one place.
- `<!-- verbs -->` becomes the --help of each verb of the command line.
- What is public and is not in the built reference is a warning.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?:#[^)\s]*)?\)")
TABLE = re.compile(r"<!-- bench:(?P<name>\w+) -->\n")
FENCED = re.compile(r"(^```.*?^```$)", re.M | re.S)
log = logging.getLogger("mkdocs.hooks.site")


def on_config(config: Any) -> Any:
    """Fill the folders of the navigation in."""
    docs = Path(config.docs_dir)
    for section in config.nav:
        for title, content in section.items():
            if isinstance(content, str) and content.endswith("/"):
                section[title] = [str(page.relative_to(docs)) for page in _pages(docs / content)]
    return config


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Put in what is made of other files, and take links out of the site off the page."""
    markdown = TABLE.sub(lambda found: _table(found["name"]), markdown)
    if "<!-- verbs -->" in markdown:
        markdown = markdown.replace("<!-- verbs -->", _verbs())
    source, docs = Path(page.file.abs_src_path), Path(config.docs_dir)
    parts = FENCED.split(markdown)  # code stays as it is
    parts[::2] = [LINK.sub(lambda found: _link(found, source, docs), part) for part in parts[::2]]
    return "".join(parts)


def on_post_build(config: Any) -> None:
    """Every public name, and every public method of it, has a place in the reference."""
    pages = "".join(page.read_text() for page in Path(config.site_dir, "reference").glob("*.html"))
    there = set(re.findall(r'id="(ringlog\.[\w.]+)"', pages))
    for name in sorted(_public() - there):
        log.warning("%s is public, and not in the reference", name)


def _public() -> set[str]:
    import ringlog
    import ringlog.codecs

    names = set()
    for module in (ringlog, ringlog.codecs):
        for name in module.__all__:
            found = getattr(module, name)
            names.add(f"{module.__name__}.{name}")
            if isinstance(found, type) and not issubclass(found, (BaseException, tuple)):
                members = [member for member in dir(found) if not member.startswith("_")]
                names |= {
                    f"{module.__name__}.{name}.{member}"
                    for member in members
                    if callable(getattr(found, member))
                }
    return names - {"ringlog.__version__"}


def _pages(folder: Path) -> list[Path]:
    return sorted(
        folder.glob("*.md"), key=lambda page: (page.name not in ("README.md", "index.md"), page.name)
    )


def _link(found: re.Match[str], page: Path, docs: Path) -> str:
    if re.match(r"[a-z]+:", found["target"]):
        return found[0]
    target = (page.parent / found["target"]).resolve()
    if target.is_relative_to(docs) or not target.is_relative_to(ROOT):
        return found[0]
    if not target.exists():
        log.warning("%s links to %s, which the repository does not have", page, found["target"])
    return found["text"]


def _table(name: str) -> str:
    readme = (ROOT / "README.md").read_text()
    marker = f"bench:{name} -->\n"
    if f"<!-- {marker}" not in readme:
        log.warning("the README has no table %s", name)
        return ""
    return readme.split(f"<!-- {marker}")[1].split(f"<!-- /{marker}")[0]


def _verbs() -> str:
    import click

    from ringlog.cli.app import app

    wide: dict[str, Any] = {"terminal_width": 100, "max_content_width": 100}
    top = click.Context(app, info_name="ringlog", **wide)
    pages = [f"```text\n{app.get_help(top)}\n```\n"]
    pages += _below(app, top, wide)
    return "\n".join(pages)


def _below(group: Any, parent: Any, wide: dict[str, Any]) -> list[str]:
    """The help of a group's verbs, each followed by those of its own."""
    import click

    pages = []
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, parent=parent, info_name=name, **wide)
        pages.append(f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n")
        if isinstance(command, click.Group):
            pages += _below(command, context, wide)
    return pages
