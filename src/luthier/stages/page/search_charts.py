"""The charts of a search: all its curves, what mattered, and what is traded for what."""

from __future__ import annotations

from markupsafe import Markup

from luthier.stages.page.charts import WIDTH, axes, drawing, figure, grid
from luthier.stages.page.scale import Scale, ticks
from luthier.stages.page.search import ENTIRE, SearchPart, SearchTrial, parameter_name
from luthier.stages.page.words import number, title

BARS = 10
STEP = 36


def curves_chart(part: SearchPart) -> Markup:
    """Scores of all trials over the course of a run; the recipe and the winner stand out."""
    drawn = [t for t in part.trials if t.points]
    if not drawn:
        return Markup("")
    scores = [s for t in drawn for _, s in t.points]
    marks = ticks(min(scores), max(scores), 4)
    x, y = axes((0, ENTIRE), (marks[0], marks[-1]))
    parts = [grid(x, y, [0, 4, 8, 12, 16], marks, "sixteenths of one run")]
    # The two that matter come last, so that nothing covers them.
    for trial in sorted(drawn, key=lambda t: (t.id == part.winner, t.id == part.default)):
        parts.append(_curve(trial, _kind(trial, part), x, y))
    names = ["your recipe"] if part.winner == part.default else ["shipped", "your recipe"]
    keys = [(name, f"line-{place}") for place, name in enumerate(names)]
    about = f"{len(drawn)} trials, {title(part.metric)} on the validation rows that steer."
    return figure("How each trial went", about, parts, [*keys, ("others", "faint")])


def _kind(trial: SearchTrial, part: SearchPart) -> str:
    if trial.id == part.winner:
        return "line-0"
    return "line-1" if trial.id == part.default else "faint"


def _curve(trial: SearchTrial, kind: str, x: Scale, y: Scale) -> Markup:
    path = " ".join(f"{x(unit)},{y(score)}" for unit, score in trial.points)
    note = f"{trial.id} from {trial.source}: {trial.status}"
    line = Markup('<polyline class="line {}" points="{}"><title>{}</title></polyline>')
    dot = Markup('<circle class="dot {}" cx="{}" cy="{}" r="{}"><title>{}</title></circle>')
    unit, score = trial.points[-1]
    shade, size = kind.replace("line", "dot"), 2 if kind == "faint" else 3.5
    return line.format(kind, path, note) + dot.format(shade, x(unit), y(score), size, note)


def importance_chart(part: SearchPart) -> Markup:
    """One bar per parameter with its interval, the ten that mattered most."""
    shown = part.mattered[:BARS]
    if not shown:
        return Markup("")
    x = Scale(0, max(0.05, *(max(m.share, m.high) for m in shown)), 8, WIDTH - 8)
    text = Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>')
    bar = Markup('<rect class="bar" x="8" y="{}" width="{}" height="8" rx="2"/>')
    reach = Markup('<line class="reach" x1="{}" x2="{}" y1="{}" y2="{}"/>')
    parts: list[Markup] = []
    for index, m in enumerate(shown):
        top = 16 + index * STEP
        parts.append(text.format("name", 8, top, "start", parameter_name(m.name)))
        parts.append(text.format("value", WIDTH - 8, top, "end", f"{100 * m.share:.0f} %"))
        parts.append(bar.format(top + 6, round(max(1.0, x(m.share) - 8), 2)))
        parts.append(reach.format(x(max(0.0, m.low)), x(m.high), top + 10, top + 10))
    spoken = "; ".join(f"{parameter_name(m.name)} {100 * m.share:.0f} %" for m in shown)
    return drawing("What mattered", spoken, parts, 16 + STEP * len(shown) - 8)


def front_chart(part: SearchPart) -> Markup:
    """Finished trials in the plane of two objectives; those that nothing beats are joined."""
    if not part.traded:
        return Markup("")
    first, second = part.objectives[:2]
    x_marks = ticks(min(p.x for p in part.traded), max(p.x for p in part.traded), 4)
    y_marks = ticks(min(p.y for p in part.traded), max(p.y for p in part.traded), 4)
    x, y = axes((x_marks[0], x_marks[-1]), (y_marks[0], y_marks[-1]))
    best = sorted((p for p in part.traded if p.on_front), key=lambda p: p.x)
    joined = Markup('<polyline class="line line-2" points="{}"/>')
    parts = [
        grid(x, y, x_marks, y_marks, title(second)),
        joined.format(" ".join(f"{x(p.x)},{y(p.y)}" for p in best)),
    ]
    dot = Markup('<circle class="dot {}" cx="{}" cy="{}" r="4"><title>{}</title></circle>')
    for p in sorted(part.traded, key=lambda p: p.on_front):
        ships = p.trial == part.winner
        kind = "dot-0" if ships else "dot-2" if p.on_front else "faint"
        note = f"{p.trial}: {number(first, p.y)}, {title(second)} {p.x:.4g}"
        parts.append(dot.format(kind, x(p.x), y(p.y), note))
    about = f"{_capital(title(first))} upwards. Nothing beats the joined trials in both at once."
    keys = [("shipped", "line-0"), ("not beaten", "line-2"), ("beaten", "faint")]
    return figure(f"{_capital(title(first))} against {title(second)}", about, parts, keys)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
