"""What a disk may hold of a log after a power cut: its files, their sizes, and their names.

Contents are as sectors.py has it. A file's size is one of those that it had since the file was last synced,
whatever its contents. Names are on disk in the order in which they were given and taken away, as journals
have it, up to some moment since the directory was last synced; a name's file may have nothing in it by then.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from recorder import Step
from sectors import Sectors

Names = Mapping[str, int]  # which file has it


class LogImage(NamedTuple):
    name: str
    data: dict[str, bytes] | None  # by the files' names; None: there is no directory


class LogFile(Sectors):
    """One file, with the sizes that it may have."""

    def __init__(self, ignore: Callable[[set[int]], bool]) -> None:
        super().__init__(ignore)
        self.sizes = [0]
        self._sizes_synced = 0

    def take(self, step: Step) -> None:
        super().take(step)
        if step.kind == "B":
            self.sizes = [step.extra]
        elif step.kind == "T":
            if (cut := self.sizes[-1] - step.extra) > 0:  # what comes there later begins with zeros
                self._store(step.extra, bytes(cut))
            self._grow(step.extra)
            self.sizes.append(step.extra)
        elif step.kind == "P":
            self._sizes_synced = len(self.sizes) - 1

    def end_sync(self, step: Step) -> None:
        began = {page for page, _, _ in self._began}
        if not began:
            return
        super().end_sync(step)
        if not step.extra and not self._ignore(began):
            del self.sizes[: self._sizes_synced]
        self._sizes_synced = 0


class LogDisk:
    """The disk beneath one recorded log. `feed` it the recording's steps in their order."""

    def __init__(self, ignore: Callable[[set[int]], bool] = lambda pages: False) -> None:
        self.files: dict[int, LogFile] = {}
        self.names: list[Names] = [{}]  # since the directory was synced, the last one as it is now
        self.made = self.made_kept = False
        self._ignore = ignore

    def feed(self, step: Step) -> None:
        """Take one step, but for the end of a sync."""
        name = step.data.decode() if step.kind in "NU" else ""
        if step.kind == "B":
            self.files[step.file] = LogFile(self._ignore)
        if step.kind in "BSPT":
            self.files[step.file].take(step)
        elif step.kind == "N":
            self.names.append({**self.names[-1], name: step.file})
            if step.extra:  # found there
                self.names = self.names[-1:]
                self.made = self.made_kept = True
        elif step.kind == "U":
            self.names.append({other: file for other, file in self.names[-1].items() if other != name})
        elif step.kind == "K":
            self.made = True
        elif step.kind == "D" and step.offset:
            self.made_kept = self.made
        elif step.kind == "D":
            del self.names[:-1]

    def end_sync(self, step: Step) -> None:
        for file in self.files.values():
            file.end_sync(step)

    # ---- what may be there ----

    def _image(
        self,
        what: str,
        names: Names,
        content: Callable[[str, LogFile], bytes],
        size: Callable[[LogFile], int],
    ) -> LogImage:
        data = {}
        for name, number in names.items():
            file = self.files[number]
            bytes_ = size(file)
            data[name] = content(name, file)[:bytes_].ljust(bytes_, b"\0")
        return LogImage(what, data)

    def images(self, dice: random.Random, count: int) -> Iterator[LogImage]:
        """The nasty ones, every choice of old or new if they are few, and `count` at random."""
        if not self.made_kept:
            yield LogImage("no directory", None)
        if not self.made:
            return
        newest, oldest = self.names[-1], self.names[0]
        segments = sorted(name for name in newest if name.endswith(".events"))
        last = segments[-1] if segments else ""

        def new(file: LogFile) -> int:
            return file.sizes[-1]

        def old(file: LogFile) -> int:
            return file.sizes[0]

        def where(wanted: Callable[[str, int], bool]) -> Callable[[str, LogFile], bytes]:
            return lambda name, file: file.new_where(lambda number: wanted(name, number))

        nothing, everything = where(lambda name, number: False), where(lambda name, number: True)
        yield self._image("all new", newest, everything, new)
        yield self._image("all old", oldest, nothing, old)
        yield self._image("only names and sizes new", newest, nothing, new)
        yield self._image("only names new", newest, nothing, old)
        yield self._image("all but names new", oldest, everything, new)
        for what, wanted in (
            ("only the words new", lambda name, number: number == 0),
            ("all but the words new", lambda name, number: number > 0),
            ("only the words and the ends new", lambda name, number: number == 0 or number % 8 == 7),
            ("only the last file new", lambda name, number: name == last),
            ("all but the last file new", lambda name, number: name != last),
            ("only the indexes new", lambda name, number: name.endswith(".index")),
            ("indexes of zeros", lambda name, number: not name.endswith(".index")),
        ):
            yield self._image(what, newest, where(wanted), new)
        unsure = [(name, k) for name, number in newest.items() for k in sorted(self.files[number].unsure)]
        if len(unsure) <= 4:
            for many in range(1, len(unsure)):
                for chosen in itertools.combinations(unsure, many):
                    wanted_ones = set(chosen)
                    content = where(lambda name, number, some=wanted_ones: (name, number) in some)
                    yield self._image("old or new", newest, content, new)
        for k in range(count):
            torn = k % 2 == 1
            names = dice.choice([newest, dice.choice(self.names)])
            what = "torn into sectors" if torn else "whole pages"
            yield self._image(
                what,
                names,
                lambda name, file, torn=torn: file.mixed(dice, torn=torn),
                lambda file: dice.choice([file.sizes[-1], *file.sizes]),
            )
