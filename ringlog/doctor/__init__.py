"""What is wrong with rings, and what to do about it: findings as data, for `ringlog doctor` and for programs.

    for finding in doctor.check(doctor.look(["/dev/shm/ticks"])[0]):
        print(finding.severity, finding.text, finding.advice)

A check of a ring is a function in `CHECKS` that takes an Examination and yields findings; one of the machine
is in `machine.CHECKS` and takes Surroundings. They change nothing; `fixes` says what can safely be done, as
steps that do it when they are called.
"""

from ringlog.doctor.checks import CHECKS, check
from ringlog.doctor.examination import BETWEEN, Examination, look, rings_in
from ringlog.doctor.finding import Finding, Severity
from ringlog.doctor.fixing import Fix, fixes
from ringlog.doctor.leftovers import leftovers
from ringlog.doctor.machine import check_machine, surroundings_of

__all__ = [
    "BETWEEN",
    "CHECKS",
    "Examination",
    "Finding",
    "Fix",
    "Severity",
    "check",
    "check_machine",
    "fixes",
    "leftovers",
    "look",
    "rings_in",
    "surroundings_of",
]
