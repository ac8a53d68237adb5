"""The charts of the report: inline SVG, coloured by the page's style, readable without colour."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from luthier.stages.page.data import Bin, Curve, Histogram, MetricRow, ReportData
from luthier.stages.page.ladder import OutlookPart
from luthier.stages.page.scale import Scale, short, ticks
from luthier.stages.page.words import interval, number

WIDTH, HEIGHT = 380, 230
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 14, 40
MAX_POINTS = 400


def line_chart(title: str, curves: Sequence[Curve], x_name: str = "step") -> Markup:
    """Lines over steps; more than 400 points of a line are thinned evenly, ends kept."""
    drawn = [c for c in curves if c.points]
    if not drawn:
        return Markup("")
    xs = [x for c in drawn for x, _ in c.points]
    ys = [y for c in drawn for _, y in c.points]
    x_ticks, y_ticks = ticks(min(xs), max(xs), 4), ticks(min(ys), max(ys), 4)
    x, y = axes((min(xs), max(xs)), (y_ticks[0], y_ticks[-1]))
    parts = [grid(x, y, [t for t in x_ticks if min(xs) <= t <= max(xs)], y_ticks, x_name)]
    for index, curve in enumerate(drawn):
        points = _thin(curve.points)
        path = " ".join(f"{x(a)},{y(b)}" for a, b in points)
        parts.append(Markup('<polyline class="line line-{}" points="{}"/>').format(index % 4, path))
        a, b = points[-1]
        parts.append(
            Markup('<circle class="dot dot-{}" cx="{}" cy="{}" r="3"/>').format(
                index % 4, x(a), y(b)
            )
        )
    ends = "; ".join(f"{c.name} ends at {c.points[-1][1]:.4g}" for c in drawn)
    return figure(title, ends, parts, [(c.name, f"line-{i % 4}") for i, c in enumerate(drawn)])


def learning_chart(part: OutlookPart) -> Markup:
    """Right answers against labels, each tick twice the one before; what lies beyond the labels
    there are is dashed, with the ends of its interval as a band."""
    sizes = [math.log2(n) for n, *_ in part.expected]
    values = [v for _, *ends in part.expected for v in ends] + [v for _, v in part.measured]
    marks = ticks(min(values), max(values), 4)
    x, y = axes((min(sizes), max(sizes)), (marks[0], marks[-1]))
    doubled = [part.labels * 2.0**k for k in range(-3, 3)]
    shown = [n for n in doubled if min(sizes) <= math.log2(n) <= max(sizes)]
    parts = [grid(x, y, [], marks, "labels")]
    tick = Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>')
    parts += [tick.format(x(math.log2(n)), HEIGHT - BOTTOM + 16, f"{n:,.0f}") for n in shown]
    at = [(x(math.log2(n)), y(low), y(high)) for n, _, low, high in part.expected]
    around = [f"{a},{low}" for a, low, _ in at] + [f"{a},{high}" for a, _, high in reversed(at)]
    parts.append(Markup('<polygon class="band" points="{}"/>').format(" ".join(around)))
    for kind, inside in (("line-0", True), ("line-1", False)):
        points = [
            f"{x(math.log2(n))},{y(value)}"
            for n, value, *_ in part.expected
            if (n <= part.labels if inside else n >= part.labels)
        ]
        line = Markup('<polyline class="line {}" points="{}"/>')
        parts.append(line.format(kind, " ".join(points)))
    dot = Markup('<circle class="dot dot-0" cx="{}" cy="{}" r="3.5"><title>{}</title></circle>')
    for n, value in part.measured:
        note = f"{n:,.0f} labels: {value:.1%} right"
        parts.append(dot.format(x(math.log2(n)), y(value), note))
    end = part.expected[-1]
    about = f"{end[1]:.1%} expected at {end[0]:,.0f} labels ({end[2]:.1%} to {end[3]:.1%})."
    keys = [("so far", "line-0"), ("forecast", "line-1")]
    return figure("Right answers against labels", about, parts, keys)


def calibration_chart(bins: Sequence[Bin]) -> Markup:
    """How often the model is right against how sure it says it is; dots grow with the rows."""
    x, y = axes((0, 1), (0, 1))
    marks = [0.0, 0.25, 0.5, 0.75, 1.0]
    diagonal = Markup('<line class="ideal" x1="{}" y1="{}" x2="{}" y2="{}"/>')
    parts = [
        grid(x, y, marks, marks, "confidence"),
        diagonal.format(x(0), y(0), x(1), y(1)),
    ]
    most = max((b.count for b in bins), default=1)
    for b in (b for b in bins if b.count):
        gap = Markup('<line class="gap" x1="{0}" y1="{1}" x2="{0}" y2="{2}"/>')
        parts.append(gap.format(x(b.confidence), y(b.confidence), y(b.accuracy)))
        dot = Markup('<circle class="dot dot-0" cx="{}" cy="{}" r="{}"><title>{}</title></circle>')
        note = f"{b.count:,} rows: confidence {b.confidence:.2f}, right {b.accuracy:.2f}"
        size = round(2.5 + 5.5 * (b.count / most) ** 0.5, 1)
        parts.append(dot.format(x(b.confidence), y(b.accuracy), size, note))
    about = "On the dashed line, the model is right as often as it is sure."
    return figure("Calibration of the tuned model", about, parts, [])


def histogram_chart(title: str, data: Histogram) -> Markup:
    """Bars of counts, with the limit as a vertical line."""
    high = max(data.edges[-1], data.limit or data.edges[-1])
    y_ticks = ticks(0, max(max(data.counts, default=1), 1), 4)
    x, y = axes((min(data.edges[0], 0), high), (0, y_ticks[-1]))
    marks = [t for t in ticks(x.low, high, 5) if t <= high]
    parts = [grid(x, y, marks, y_ticks, data.unit)]
    for low, up, count in zip(data.edges, data.edges[1:], data.counts, strict=False):
        bar = Markup(
            '<rect class="bar" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
        )
        width = round(max(x(up) - x(low) - 1, 0.8), 2)
        note = f"{low:g} to {up:g} {data.unit}: {count:,} rows"
        parts.append(bar.format(x(low), y(count), width, round(y(0) - y(count), 2), note))
    if data.limit is not None:
        at = x(data.limit)
        mark = Markup('<line class="limit" x1="{0}" y1="{1}" x2="{0}" y2="{2}"/>')
        parts.append(mark.format(at, TOP, HEIGHT - BOTTOM))
        label = Markup('<text class="limit-text" x="{}" y="{}" text-anchor="end">limit {}</text>')
        parts.append(label.format(at - 4, TOP + 10, f"{data.limit:g}"))
    total = f"{sum(data.counts):,} rows"
    return figure(title, total, parts, [])


def interval_chart(row: MetricRow, data: ReportData) -> Markup:
    """Each model's value as a dot on its interval, one line per model, the tuned one marked."""
    shown = [(name, row.estimates[name]) for name in data.models if name in row.estimates]
    ends = [v for _, e in shown for v in (e.value, e.low, e.high) if v is not None]
    if not ends:
        return Markup("")
    spread = max(ends) - min(ends) or abs(max(ends)) or 1.0
    x = Scale(min(ends) - 0.06 * spread, max(ends) + 0.06 * spread, 8, WIDTH - 8)
    parts: list[Markup] = []
    for index, (name, estimate) in enumerate(shown):
        top = 16 + index * 40
        kind = "tuned" if name == data.tuned else "other"
        spoken = number(row.name, estimate.value)
        label = Markup('<text class="name {}" x="8" y="{}">{}</text>')
        value = Markup('<text class="value {}" x="{}" y="{}" text-anchor="end">{}</text>')
        parts.append(label.format(kind, top, name))
        parts.append(value.format(kind, WIDTH - 8, top, spoken))
        track = Markup('<line class="track" x1="8" x2="{}" y1="{}" y2="{}"/>')
        parts.append(track.format(WIDTH - 8, top + 11, top + 11))
        if estimate.low is not None and estimate.high is not None:
            whisker = Markup('<line class="whisker {}" x1="{}" x2="{}" y1="{}" y2="{}"/>')
            low, high = x(estimate.low), x(estimate.high)
            parts.append(whisker.format(kind, low, high, top + 11, top + 11))
        dot = Markup('<circle class="point {}" cx="{}" cy="{}" r="4.5"/>')
        parts.append(dot.format(kind, x(estimate.value), top + 11))
    spoken = "; ".join(
        f"{name} {number(row.name, e.value)} ({interval(row.name, e)})" for name, e in shown
    )
    return drawing("Models compared", spoken, parts, 16 + 40 * len(shown) - 8)


def axes(x: tuple[float, float], y: tuple[float, float]) -> tuple[Scale, Scale]:
    """The scales of a chart over these values."""
    return Scale(*x, LEFT, WIDTH - RIGHT), Scale(*y, HEIGHT - BOTTOM, TOP)


def grid(
    x: Scale, y: Scale, x_ticks: Sequence[float], y_ticks: Sequence[float], x_name: str
) -> Markup:
    """Horizontal lines with their values, and the values and the name of the other axis."""
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>')
    text = Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>')
    parts: list[Markup] = []
    for tick in y_ticks:
        parts.append(line.format(LEFT, WIDTH - RIGHT, y(tick), y(tick)))
        parts.append(text.format(LEFT - 6, y(tick) + 3.5, "end", short(tick)))
    for tick in x_ticks:
        parts.append(text.format(x(tick), HEIGHT - BOTTOM + 16, "middle", short(tick)))
    parts.append(text.format((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "middle", x_name))
    return Markup("").join(parts)


def _thin(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    if len(points) <= MAX_POINTS:
        return points
    last = len(points) - 1
    return [points[round(i * last / (MAX_POINTS - 1))] for i in range(MAX_POINTS)]


def figure(
    title: str, about: str, parts: Sequence[Markup], legend: Sequence[tuple[str, str]]
) -> Markup:
    """A chart with its caption and the keys of its lines: names and classes."""
    item = Markup(
        '<span class="key"><svg viewBox="0 0 22 8" aria-hidden="true">'
        '<line class="line {}" x1="1" x2="21" y1="4" y2="4"/></svg>{}</span>'
    )
    keys = Markup("").join(item.format(kind, name) for name, kind in legend)
    caption = Markup("<figcaption><strong>{}</strong> {}<small>{}</small></figcaption>")
    return Markup('<figure class="chart">{}{}</figure>').format(
        caption.format(title, keys, about), drawing(title, about, parts, HEIGHT)
    )


def drawing(title: str, about: str, parts: Sequence[Markup], height: float) -> Markup:
    """A picture that says aloud what it shows."""
    frame = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>{}</svg>')
    spoken = f"{title}. {about}" if about else title
    return frame.format(WIDTH, height, spoken, escape(title), Markup("").join(parts))
