"""Draws a bar chart as SVG. Its colors work on light and on dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

COLORS = ("#2f81f7", "#8b949e", "#d29922")
WIDTH, HEIGHT, BASE, TOP = 760, 300, 250, 60


def bars(title: str, groups: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """Return a chart. Each group has one bar per series. All bars start at zero and share one scale."""
    largest = max(value for values in series.values() for value in values)
    group_width = (WIDTH - 40) / len(groups)
    bar_width = group_width / (len(series) + 1)
    shapes = [text(20, 24, title, "start", 15)]
    for s, (name, values) in enumerate(series.items()):
        shapes.append(f'<rect x="{20 + 170 * s}" y="36" width="10" height="10" fill="{COLORS[s]}"/>')
        shapes.append(text(36 + 170 * s, 45, name, "start"))
        for g, value in enumerate(values):
            x, height = 20 + g * group_width + (s + 0.5) * bar_width, (BASE - TOP - 20) * value / largest
            shapes.append(
                f'<rect x="{x:.1f}" y="{BASE - height:.1f}" width="{bar_width - 3:.1f}" height="{height:.1f}" '
                f'fill="{COLORS[s]}"/>'
            )
            shapes.append(text(x + bar_width / 2 - 1.5, BASE - height - 5, shortened(value)))
    for g, group in enumerate(groups):
        shapes.append(text(20 + (g + 0.5) * group_width, BASE + 20, group))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" fill="#6e7681">\n' + "\n".join(shapes) + "\n</svg>\n"
    )


def text(x: float, y: float, words: str, anchor: str = "middle", size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{words}</text>'


def shortened(value: float) -> str:
    return f"{value / 1000:.1f}k" if value >= 1000 else f"{value:.0f}"
