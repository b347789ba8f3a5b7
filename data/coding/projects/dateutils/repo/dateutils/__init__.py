"""Calendar arithmetic with whole days."""

from dateutils.coerce import DateError, as_date
from dateutils.durations import Duration, parse_duration
from dateutils.months import add_months, days_in_month, month_end, quarter
from dateutils.recurrence import occurrences
from dateutils.spans import Span
from dateutils.weeks import iso_week, nth_weekday, week_start
from dateutils.workdays import WorkCalendar

__all__ = [
    "DateError",
    "Duration",
    "Span",
    "WorkCalendar",
    "add_months",
    "as_date",
    "days_in_month",
    "iso_week",
    "month_end",
    "nth_weekday",
    "occurrences",
    "parse_duration",
    "quarter",
    "week_start",
]
