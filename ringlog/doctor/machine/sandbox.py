"""Does the kernel, or a sandbox, refuse what ringlog would use?"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from ringlog.doctor.finding import Finding
from ringlog.doctor.machine.surroundings import Surroundings

_REASONS = {
    errno.ENOSYS: "this kernel (before 5.16), or a sandbox, does not know futex_waitv",
    errno.EPERM: "a sandbox (seccomp) refuses futex_waitv",
}


def no_waitv(seen: Surroundings) -> Iterator[Finding]:
    """Can one thread sleep on many rings?"""
    number = seen.system.waitv_error()
    if number not in _REASONS:
        return
    yield Finding(
        "this machine",
        "no-futex-waitv",
        "note",
        f"{_REASONS[number]}: readers behind fileno() and async for are not woken but look each millisecond, "
        "which costs a little of a core; read() and iteration are woken as ever",
        "a newer kernel, or a newer container engine, whose seccomp profile lets futex_waitv through",
        {"error": errno.errorcode[number]},
    )
