"""The subject that a ring's events go by, where nobody has named one."""

from __future__ import annotations

import os

from ringlog.files import StrPath

PREFIX = "ringlog"
ENDINGS = (".ring", ".log", ".ringlog")


def default_subject(path: StrPath) -> str:
    """`ringlog.` and the name of the ring's (or log's) file, without an ending that says what it is, as one
    word: what is no letter, digit, `-` or `_` becomes `_`."""
    name = os.path.basename(os.path.abspath(os.fspath(path)))
    for ending in ENDINGS:
        if name.endswith(ending) and name != ending:
            name = name.removesuffix(ending)
            break
    word = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
    return f"{PREFIX}.{word or '_'}"
