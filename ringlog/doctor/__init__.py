"""What is wrong with rings, and what to do about it: findings as data, for `ringlog doctor` and for programs.

    for finding in doctor.check(doctor.look(["/dev/shm/ticks"])[0]):
        print(finding.severity, finding.text, finding.advice)

A check is a function in `CHECKS` that takes an Examination and yields findings; nothing here changes a ring.
"""

from ringlog.doctor.checks import CHECKS, check
from ringlog.doctor.examination import BETWEEN, Examination, look, rings_in
from ringlog.doctor.finding import Finding, Severity
from ringlog.doctor.leftovers import leftovers

__all__ = [
    "BETWEEN",
    "CHECKS",
    "Examination",
    "Finding",
    "Severity",
    "check",
    "leftovers",
    "look",
    "rings_in",
]
