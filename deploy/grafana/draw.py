#!/usr/bin/env python3
"""Draws the dashboard without Grafana: the same queries, asked of a running Prometheus.

    deploy/grafana/draw.py [MINUTES [FILE]]      the last 15 minutes into docs/dashboard.png

Needs matplotlib. Panels without data say so, as Grafana does.
"""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import matplotlib.pyplot as plt
from matplotlib.dates import DateFormatter, date2num
from matplotlib.ticker import EngFormatter, FuncFormatter, PercentFormatter

PROMETHEUS = "http://127.0.0.1:9090"
DASHBOARD = Path(__file__).with_name("dashboards") / "taskapp.json"
STEP = 5  # seconds
RATE = "1m"  # what Grafana makes of $__rate_interval at four scrapes
UNITS = {
    "percentunit": PercentFormatter(1, decimals=0),
    "s": EngFormatter("s"),
    "bytes": FuncFormatter(lambda value, _: f"{value / 2**20:,.0f} MiB"),
}


def ask(query: str, minutes: float) -> list[dict]:
    now = time.time()
    asked = {"query": query, "start": now - 60 * minutes, "end": now, "step": STEP}
    with urlopen(f"{PROMETHEUS}/api/v1/query_range?{urlencode(asked)}") as answer:  # noqa: S310 - ours
        return json.load(answer)["data"]["result"]


def named(legend: str, labels: dict[str, str]) -> str:
    for label, value in labels.items():
        legend = legend.replace("{{" + label + "}}", value)
    return legend


def draw(axes: plt.Axes, panel: dict, minutes: float) -> None:
    lines = []
    for target in panel["targets"]:
        query = target["expr"].replace("$__rate_interval", RATE)
        lines += [
            (named(target["legendFormat"], found["metric"]), found["values"])
            for found in ask(query, minutes)
        ]
    for name, values in lines:
        times = [date2num(datetime.fromtimestamp(at, UTC)) for at, _ in values]
        axes.plot(times, [float(value) for _, value in values], label=name, linewidth=1.5)
    axes.set_title(panel["title"], loc="left", fontsize=11)
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axes.set_ylim(0, 1.05 if unit == "percentunit" else None)
    axes.set_ylabel({"reqps": "per second", "ops": "per second"}.get(unit, ""), fontsize=8)
    if unit in UNITS:
        axes.yaxis.set_major_formatter(UNITS[unit])
    if not lines:
        axes.text(0.5, 0.5, "no data", ha="center", transform=axes.transAxes, color="gray")
    elif any(name for name, _ in lines):
        axes.legend(fontsize=7, loc="upper left", framealpha=0.7)


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 15
    file = sys.argv[2] if len(sys.argv) > 2 else "docs/dashboard.png"
    panels = [
        panel
        for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
        if panel["type"] == "timeseries"
    ]
    plt.rcParams["axes.prop_cycle"] = plt.cycler(
        # Okabe and Ito's colours, which colour-blind people tell apart
        color=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
    )
    rows = -(-len(panels) // 3)
    figure, axes = plt.subplots(rows, 3, figsize=(16, 3 * rows), layout="constrained")
    for where, panel in zip(axes.flat, panels, strict=False):
        draw(where, panel, minutes)
    for unused in axes.flat[len(panels) :]:
        unused.set_visible(False)
    figure.savefig(file, dpi=80)


main()
