"""Logs as text: lines of channel, minute and value, set off by commas; an empty value is a gap."""

from probelog.clock import label, minutes
from probelog.errors import BadFile
from probelog.gaps import present, share
from probelog.log import Log
from probelog.stats import mean, values


def dump(log: Log) -> str:
    """Return a log as text, channel by channel."""
    lines = [
        f"{channel},{minutes(reading.at):g},{'' if reading.value is None else f'{reading.value:g}'}"
        for channel in log.channels()
        for reading in log.readings(channel)
    ]
    return "\n".join(lines)


def load(source: str) -> Log:
    """Read a log from text; empty lines and those that begin with # do not count. Raises BadFile."""
    log = Log()
    for number, line in enumerate(source.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            channel, minute, value = line.split(",")
            log.record(channel, float(minute), float(value) if value.strip() else None)
        except ValueError:
            raise BadFile(f"line {number}: {line!r}") from None
    return log


def summary(log: Log) -> list[str]:
    """Return one line per channel: name, time of the last reading, mean and, if there are any, the share of gaps."""
    lines = []
    for channel in log.channels():
        readings = log.readings(channel)
        parts = [channel, label(readings[-1].at)]
        if present(values(readings)):
            parts.append(f"{mean(readings):.2f}")
        lost = share(values(readings))
        if lost:
            parts.append(f"{100 * lost:.0f} % lost")
        lines.append(" ".join(parts))
    return lines
