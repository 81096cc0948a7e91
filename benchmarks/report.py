"""What every benchmark prints last: one line of JSON with figures and bars.

A bar is a promise about a figure; `holds` says whether this run kept it. Figures without a bar are context.
"""

import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

SCHEMA: Final = "f2fbuild.benchmark/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A figure's `value` in `unit` against its `bar`."""

    name: str
    value: float
    bar: float
    unit: str
    holds: bool


def at_least(name: str, value: float, bar: float, unit: str) -> Bar:
    """Return the bar that `value` reaches `bar`."""
    return Bar(name=name, value=round(value, 6), bar=bar, unit=unit, holds=value >= bar)


def at_most(name: str, value: float, bar: float, unit: str) -> Bar:
    """Return the bar that `value` stays within `bar`."""
    return Bar(name=name, value=round(value, 6), bar=bar, unit=unit, holds=value <= bar)


def median_of(runs: int, measure: Callable[[], Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each figure over `runs` calls of `measure`."""
    taken = [measure() for _ in range(runs)]
    return {name: statistics.median(run[name] for run in taken) for name in taken[0]}


def emit(name: str, figures: Mapping[str, float], bars: Sequence[Bar]) -> None:
    """Print the report as one line, which is to be the last one of the output."""
    report = {
        "schema": SCHEMA,
        "name": name,
        "figures": {key: round(value, 6) for key, value in figures.items()},
        "bars": [asdict(bar) for bar in bars],
    }
    sys.stdout.write(json.dumps(report) + "\n")
