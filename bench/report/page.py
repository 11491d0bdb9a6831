"""The page and its plots: every record that there is becomes a section."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

from bench.report import against_peers, of_bridges, of_its_own, of_logs
from bench.report.drawing import DARK, ROLES, drawn
from bench.report.export import inlined, save
from bench.report.records import Bar, Record
from bench.report.section import Plot, Section
from bench.report.tables import Table

SECTIONS: dict[str, Callable[[Record], Section]] = {
    "peers": against_peers.peers,
    "latency": against_peers.latency,
    "idle": against_peers.idle,
    "producer": of_its_own.producer,
    "scale": of_its_own.scale,
    "one_to_one": of_its_own.one_to_one,
    "columns": of_its_own.columns,
    "frames": of_its_own.frames,
    "async_readers": of_its_own.async_readers,
    "seed": of_its_own.seed,
    "floor": of_its_own.floor,
    "log": of_logs.log,
    "log-limited": of_logs.limited,
    "log_record": of_logs.record,
    "log_size": of_logs.size,
    "logging": of_logs.logging,
    "bridge": of_bridges.bridge,
}
STYLE = Path(__file__).with_name("page.css")


def write(folder: Path, found: dict[str, Record]) -> Path:
    plots = folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    sections = [(make(found[verb]), found[verb]) for verb, make in SECTIONS.items() if verb in found]
    body = [part(section, record, plots) for section, record in sections]
    links = "".join(f'<a href="#{s.verb}">{html.escape(s.title)}</a>' for s, _ in sections)
    machine: dict[str, str] = next((each["machine"] for each in found.values() if "machine" in each), {})
    light, dark = ("".join(f"--{role}:{colour};" for role, colour in each.items()) for each in (ROLES, DARK))
    style = STYLE.read_text(encoding="utf-8")
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ringlog: how fast</title>
<style>
:root{{color-scheme:light dark;{light}}}
@media(prefers-color-scheme:dark){{:root{{{dark}}}}}
{style}</style>
</head>
<body>
<header>
<h1>How fast is ringlog?</h1>
<p>One writer, many readers, one machine. All contestants of a plot took turns on the same machine, so
what counts are the ratios; a figure is the median of its rounds. <b class="ours">ringlog is blue.</b>
Losses and processor time stand beside the speed.</p>
<p class="small">{html.escape(machine_of(machine))}</p>
<nav>{links}</nav>
</header>
{summary([(section, bar) for section, _ in sections for bar in section.bars])}
{"".join(body)}
</body>
</html>
"""
    path = folder / "index.html"
    path.write_text(text, encoding="utf-8")
    return path


def machine_of(machine: dict[str, str]) -> str:
    """The machine in one line."""
    said = [machine.get("cpu", ""), f"{machine['cores']} cores" if "cores" in machine else ""]
    said += [f"Linux {machine['kernel']}" if "kernel" in machine else "", machine.get("python", "")]
    said += [f"{name} {machine[name]}" for name in ("ringlog", "gcc") if name in machine]
    said += [machine.get("file system", "")]
    return " · ".join(word for word in said if word)


def small_print(record: Record) -> str:
    when = str(record.get("measured", ""))[:10]
    parameters = record.get("parameters", {})
    rounds = parameters.get("rounds")
    if cells := parameters.get("rounds of each cell"):
        rounds = f"{min(cells)} to {max(cells)}" if min(cells) < max(cells) else cells[0]
    said = [machine_of(record.get("machine", {})), f"{rounds} rounds" if rounds else "", when]
    return " · ".join(word for word in said if word)


def part(section: Section, record: Record, plots: Path) -> str:
    said = [f'<section id="{section.verb}"><h2>{html.escape(section.title)}</h2>']
    said.append(f"<p>{html.escape(section.text)}</p>")
    said += [shown(plot, record, plots) for plot in section.plots]
    said += [
        f"<details><summary>{html.escape(plot.title)}</summary>{shown(plot, record, plots)}</details>"
        for plot in section.more
    ]
    for place, (title, table) in enumerate(section.tables):
        if table[1]:
            opened = " open" if place == 0 and len(table[1]) < 12 else ""
            said.append(f"<details{opened}><summary>{html.escape(title)}</summary>{as_html(table)}</details>")
    if section.remarks:
        items = "".join(f"<li>{html.escape(remark)}</li>" for remark in section.remarks)
        said.append(f'<ul class="small">{items}</ul>')
    versions = ", ".join(f"{name} {version}" for name, version in record.get("versions", {}).items())
    command = f"<code>python -m bench {section.verb}</code>"
    said.append(
        f'<p class="small">{command} {html.escape(versions)}<br>{html.escape(small_print(record))}</p>'
    )
    return "".join(said) + "</section>\n"


def shown(plot: Plot, record: Record, folder: Path) -> str:
    """A plot as a file of its own, and as a part of the page."""
    figure = drawn(plot, small_print(record))
    save(figure, folder, plot.name)
    return f"<figure>{inlined(figure, html.escape(plot.title, quote=True))}</figure>"


def as_html(table: Table) -> str:
    head, rows = table
    top = "".join(f"<th>{marked_up(cell)}</th>" for cell in head)
    body = "".join(
        f"<tr{is_ours(row[0])}>" + "".join(f"<td>{marked_up(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def is_ours(name: str) -> str:
    return ' class="ours"' if of_its_own.is_ringlog(name.strip("`")) else ""


def marked_up(cell: str) -> str:
    """Markdown's back quotes as HTML's code."""
    pieces = html.escape(cell).split("`")
    return "".join(f"<code>{piece}</code>" if at % 2 else piece for at, piece in enumerate(pieces))


def summary(bars: list[tuple[Section, Bar]]) -> str:
    """Every bar that was set, with its ratio, whether it was cleared or not."""
    if not bars:
        return ""
    rows = []
    for section, bar in bars:
        sign = {True: ("held", "✓ holds"), False: ("missed", "✗ missed"), None: ("", "")}[bar.held]
        what = f'<a href="#{section.verb}">{html.escape(bar.what)}</a>'
        if bar.beside:
            what += f'<br><span class="small">{html.escape(bar.beside)}</span>'
        cells = [what, bar.ratio, html.escape(bar.asked)]
        rows.append(
            "<tr>"
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + f'<td class="{sign[0]}">{sign[1]}</td></tr>'
        )
    head = "".join(f"<th>{word}</th>" for word in ("What was asked", "ratio", "asked", ""))
    return (
        '<section id="bars"><h2>What was asked of it, and whether it holds</h2><div class="wide"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></section>\n"
    )
