"""Readings of probes in a lab."""

from probelog.alarms import Rule, breaches
from probelog.errors import EmptySeries, ProbeError, UnknownChannel, UnknownUnit
from probelog.log import Log
from probelog.readings import Reading

__all__ = [
    "EmptySeries",
    "Log",
    "ProbeError",
    "Reading",
    "Rule",
    "UnknownChannel",
    "UnknownUnit",
    "breaches",
]
