"""What is to be said about writers and their lock."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ringlog import describe
from ringlog.doctor.examination import Examination
from ringlog.doctor.finding import Finding, evidence_of


def write_lock(seen: Examination) -> Iterator[Finding]:
    """Does somebody hold the write lock who does not go on?"""
    if seen.looks is None:
        return
    first, last = seen.looks
    if not last.owner or last.owner != first.owner:
        return
    holder = last.writers.get(describe.owner_of(last.owner))
    evict = f"ringlog evict {shlex.quote(seen.path)} --writer"
    if holder is None or not holder.leased:
        who = f"pid {holder.pid}, which" if holder else "a process that"
        text = f"the write lock was left by {who} is dead; the next writer puts the ring in order and goes on"
        yield Finding(seen.path, "dead-owner", "note", text, "", evidence_of(holder))
    elif holder.state == "stopped":
        text = f"writer pid {holder.pid} ({holder.process}) holds the write lock: no other writer can go on"
        advice = f"continue it: kill -CONT {holder.pid}; or end it: {evict}"
        yield Finding(seen.path, "stopped-owner", "problem", text, advice, evidence_of(holder))
    elif last.contended:
        text = (
            f"writer pid {holder.pid} ({holder.process}) has held the write lock for {seen.seconds:.1f} s or "
            "more, and others have waited for it: it is a session, or the block of a claim"
        )
        advice = f"if it does not go on: {evict}"
        yield Finding(seen.path, "held-lock", "note", text, advice, evidence_of(holder))


def other_writers(seen: Examination) -> Iterator[Finding]:
    """Writers that are stopped or dead, and hold nobody up."""
    if seen.looks is None:
        return
    for writer in seen.last.writers.values():
        if writer.holds_lock:
            continue
        if writer.state == "stopped":
            text = f"writer pid {writer.pid} ({writer.process}) does not hold the write lock: others go on"
            advice = f"continue it: kill -CONT {writer.pid}"
            yield Finding(seen.path, "stopped-writer", "note", text, advice, evidence_of(writer))
        elif writer.state == "dead":
            text = f"writer pid {writer.pid} has died without closing; a later writer takes its slot"
            yield Finding(seen.path, "dead-writer", "note", text, "", evidence_of(writer))


def semaphore(seen: Examination) -> Iterator[Finding]:
    """Is the queue of the writers in order? If not they go on, some milliseconds later each time."""
    if seen.looks is None:
        return
    first, last = seen.looks
    if first.semaphore_missing and last.semaphore_missing:
        what = "was removed; a writer that waits or opens makes it again"
    elif last.semaphore == first.semaphore == 0 and not (first.owner or last.owner):
        what = "has lost its token; the next writer brings one"
    elif (first.semaphore or 0) > 1 and (last.semaphore or 0) > 1:
        what = f"has {last.semaphore} tokens instead of one; writers that meet take them out"
    else:
        return
    yield Finding(seen.path, "semaphore", "note", f"the semaphore {what}", "", {"value": last.semaphore})
