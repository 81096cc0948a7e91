"""A chart of lines as SVG, small enough to need no library."""

from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT, _EDGE = 640, 360, 48
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""Colours that colour-blind people tell apart (Okabe and Ito)."""


def chart(title: str, across: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return a chart of shares (0 to 1) over `across`, one line for each name."""
    most = max(x for points in lines.values() for x, _ in points)

    def place(x: float, y: float) -> str:
        left = _EDGE + x / most * (_WIDTH - 2 * _EDGE)
        top = _HEIGHT - _EDGE - y * (_HEIGHT - 2 * _EDGE)
        return f"{left:.1f},{top:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text font-size="12" x="{_WIDTH / 2}" y="24" text-anchor="middle">{escape(title)}</text>',
        f'<text font-size="12" x="{_WIDTH / 2}" y="{_HEIGHT - 8}">{escape(across)}</text>',
        f'<polyline fill="none" stroke="#000" points="{place(0, 1)} {place(0, 0)} {place(most, 0)}"/>',
    ]
    for share in (0, 0.5, 1):
        left, top = place(0, share).split(",")
        parts.append(
            f'<text font-size="12" x="{float(left) - 6}" y="{top}" text-anchor="end">{share:.0%}</text>'
        )
    for number in range(0, int(most) + 1, max(1, int(most) // 8)):
        left, top = place(number, 0).split(",")
        parts.append(
            f'<text font-size="12" x="{left}" y="{float(top) + 16}" text-anchor="middle">{number}</text>'
        )
    for place_in_list, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[place_in_list % len(_COLOURS)]
        joined = " ".join(place(x, y) for x, y in points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{joined}"/>')
        row = _HEIGHT - _EDGE - 14 * (len(lines) - place_in_list)
        parts.append(
            f'<text font-size="12" x="{_WIDTH - _EDGE - 110}" y="{row}" fill="{colour}">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])
