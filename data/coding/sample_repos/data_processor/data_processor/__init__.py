"""Filters and totals over lists of records (dicts)."""

from data_processor.records import at_least, total_by, without_missing

__all__ = ["at_least", "total_by", "without_missing"]
