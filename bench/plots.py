"""The plots of docs/performance.md."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from bench.questions import QUESTIONS

COLORS = {
    "floor": "#9aa5b1",
    "taskapp": "#0b6e4f",
    "fastapi": "#2a6fbb",
    "twin": "#8fbce6",
    "drf": "#c8553d",
    "flask": "#e0a458",
}
SHARED = [question for question in QUESTIONS if not question.ours]
mpl.use("svg")
mpl.rcParams.update(
    {
        "font.family": ["DejaVu Sans", "sans-serif"],
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "svg.hashsalt": "taskapp",  # the same numbers draw the same file
        "svg.fonttype": "none",  # text stays text: a third of the size, and it can be searched
    }
)


def comparison(told: dict[str, Any], folder: Path) -> None:
    """CPU per request of each server and question, and what each needs to stand there."""
    fig, axes = plt.subplots(figsize=(9, 4.4), layout="constrained")
    servers = [name for name in COLORS if name in told["cpu_us"]]
    width = 0.8 / len(servers)
    for place, server in enumerate(servers):
        cells = [told["cpu_us"][server][question.name] for question in SHARED]
        mids = [statistics.median(cell) for cell in cells]
        spread = [
            [mid - min(cell) for mid, cell in zip(mids, cells, strict=True)],
            [max(cell) - mid for mid, cell in zip(mids, cells, strict=True)],
        ]
        at = [n + (place - (len(servers) - 1) / 2) * width for n in range(len(SHARED))]
        axes.bar(
            *(at, mids, width * 0.92),
            color=COLORS[server],
            label=told["titles"][server],
            yerr=spread,
            error_kw={"elinewidth": 0.8, "ecolor": "#444"},
        )
    axes.set_xticks(range(len(SHARED)), [question.title for question in SHARED])
    axes.set_ylabel("CPU µs per request, all processes")
    axes.set_title("What one request costs: median, lowest to highest round")
    axes.grid(axis="y", color="#e5e8eb")
    fig.legend(loc="outside lower center", frameon=False, fontsize=9, ncols=3)
    _save(fig, folder / "cpu.svg")
    _latency(told, servers, folder)
    _memory(told, folder)


def _latency(told: dict[str, Any], servers: list[str], folder: Path) -> None:
    fig, every = plt.subplots(1, len(SHARED), figsize=(9, 3.2), layout="constrained", sharey=True)
    for axes, question in zip(every, SHARED, strict=True):
        for row, server in enumerate(reversed(servers)):
            parts = told["latency_ms"][server][question.name]
            at = [statistics.median(parts[part]) for part in ("p50", "p95", "p99")]
            axes.plot(at, [row] * 3, color=COLORS[server], linewidth=2.5, solid_capstyle="round")
            for place, size in zip(at, (6, 4.5, 3), strict=True):
                axes.plot([place], [row], "o", color=COLORS[server], markersize=size)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(question.title, fontsize=10)
        axes.grid(axis="x", color="#e5e8eb", which="both", linewidth=0.5)
    every[0].set_yticks(range(len(servers)), [_short(told, name) for name in reversed(servers)])
    fig.supxlabel(
        f"ms at {told['plan']['rate']:.0f} requests per second: p50, p95, p99 (log scale)",
        fontsize=9,
    )
    _save(fig, folder / "latency.svg")


def _short(told: dict[str, Any], name: str) -> str:
    return {"twin": "FastAPI, doing it all"}.get(name, str(told["titles"][name]).split(",")[0])


def _memory(told: dict[str, Any], folder: Path) -> None:
    names = sorted(told["memory_mib"], key=lambda name: statistics.median(told["memory_mib"][name]))
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", sharey=True)
    for axes, measure, title in (
        (left, "memory_mib", "Memory: MiB (PSS), 2 processes"),
        (right, "start_s", "Start: seconds to the first answer"),
    ):
        values = [statistics.median(told[measure][name]) for name in names]
        bars = axes.barh(range(len(names)), values, color=[_color(name) for name in names])
        axes.bar_label(bars, fmt="%.0f" if measure == "memory_mib" else "%.2f", padding=3)
        axes.set_title(title, fontsize=10)
        axes.margins(x=0.15)
    left.set_yticks(range(len(names)), [_named(told, name) for name in names])
    _save(fig, folder / "memory.svg")


def _color(name: str) -> str:
    return COLORS.get(name, "#0b6e4f" if name == "sqlite" else "#cfd6dd")


def _named(told: dict[str, Any], name: str) -> str:
    return "taskapp on SQLite" if name == "sqlite" else _short(told, name)


def growth(told: dict[str, Any], folder: Path) -> None:
    """Every row's cost relative to the smallest size: flat is good."""
    databases = list(told["cpu_us"])
    fig, every = plt.subplots(
        1, len(databases), figsize=(9, 4.6), layout="constrained", sharey=True
    )
    for axes, database in zip(every, databases, strict=True):
        _growth_of(axes, told, database)
    every[0].set_ylabel("CPU relative to 10,000 tasks (log scale)")
    _save(fig, folder / "growth.svg")


def _growth_of(axes: Axes, told: dict[str, Any], database: str) -> None:
    sizes, ends = told["sizes"], []
    for name, cells in told["cpu_us"][database].items():
        mids = [statistics.median(cells[str(size)]) for size in sizes if str(size) in cells]
        shares = [mid / mids[0] for mid in mids]
        grew = shares[-1] > told["flat"]
        axes.plot(
            *(sizes[: len(shares)], shares),
            color="#c8553d" if grew else "#9aa5b1",
            linewidth=1.6 if grew else 1.0,
            marker="o" if grew else "",
            markersize=3,
        )
        if grew:
            ends.append((shares[-1], name))
    room = 0.0
    for share, name in sorted(ends)[-6:]:
        room = max(share, room * 1.25)  # names do not lie on one another
        axes.annotate(
            name, (sizes[-1], room), (-4, 4), textcoords="offset points", ha="right", fontsize=8
        )
    axes.axhline(told["flat"], color="#0b6e4f", linewidth=0.8, linestyle="--")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(database)
    axes.set_xlabel("tasks")
    axes.grid(color="#eef0f2")


def _save(fig: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, metadata={"Date": None})
    plt.close(fig)
