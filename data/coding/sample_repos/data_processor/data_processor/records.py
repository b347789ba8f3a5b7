"""Filters and totals. A record is a dict; a value that is absent or None counts as missing."""


def without_missing(records, field):
    """The records that have a value in ``field``."""
    return [record for record in records if record.get(field) is not None]


def at_least(records, field, minimum):
    """The records whose ``field`` is ``minimum`` or more; missing values are left out."""
    return [record for record in without_missing(records, field) if record[field] >= minimum]


def total_by(records, key, field):
    """Sum of ``field`` per value of ``key``, as a dict; missing values are left out."""
    totals = {}
    for record in without_missing(records, field):
        totals[record[key]] = record[field]
    return totals
