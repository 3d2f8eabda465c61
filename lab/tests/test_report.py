"""The page: everything in it, nothing from elsewhere, and what contradicts is shown."""

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab import experiments, journal, plots, report
from lab.estimate import Estimate
from lab.results import Line, Panel, Point, line, read, read_lines, save
from tests.servers import ROOT

SAMPLE = ROOT / "docs" / "lab-report"
LINE = Panel("Throughput", "answers per second", "users", log_x=True, log_y=True)
ROWS = Panel("Memory", "megabytes", noise=5)


def point(series: str, x: float, predicted: float, *samples: float, **more: object) -> Point:
    result = Estimate(samples[len(samples) // 2], min(samples), max(samples))
    known = Estimate.exact(predicted)
    return Point("Throughput", series, x, known, result, "median", **more)  # type: ignore[arg-type]


POINTS = [
    point("4 sync workers", 1, 10, 9, 10, 11),
    point("4 sync workers", 40, 40, 14, 15, 16),
    point("event loop", 1, 10, 10),
    point("event loop", 40, 400, 390),
]
LINES = [
    line("Throughput", "4 sync workers", "throughput", seats=4, service=0.1),
    line("Throughput", "event loop", "throughput", seats=100, service=0.1, ceiling=300),
]


@pytest.fixture(scope="module")
def page() -> str:
    return report.render(SAMPLE)


class Links(HTMLParser):
    """Everything that a browser would fetch or follow."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.result: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.result += [str(v) for name, v in attrs if name in {"src", "href", "srcset", "action"}]


def test_the_sample_is_what_its_tables_make(page: str) -> None:
    assert (ROOT / "docs" / "lab-report.html").read_text("utf-8") == page


def test_every_experiment_is_in_the_sample(page: str) -> None:
    for part in report.parts(SAMPLE):
        assert f'id="{part.experiment.name}"' in page
        assert html.escape(part.text["title"]) in page

    names = [part.experiment.name for part in report.parts(SAMPLE)]
    assert names == [name for name in experiments.NAMES if name in names]
    assert len(names) >= len(experiments.QUICK)


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    assert {link.partition(":")[0] for link in Links(page).result if link[0] != "#"} == {"data"}
    assert (
        re.findall(
            r"@import|url\(|<script .*src|<iframe|<link|fetch\(|XMLHttpRequest|import\(", page
        )
        == []
    )


def test_the_machine_is_described_and_not_named(page: str) -> None:
    assert {"processors", "memory", "Python", "nginx"} <= set(journal.read_machine(SAMPLE))
    assert re.findall(r"/home/|/root/|/tmp/|/work/", page) == []


def test_every_plot_has_a_text_that_says_its_figures(page: str) -> None:
    drawings = re.findall(
        r'<svg viewBox="[^"]*" role="img" aria-l[^>]*by.*?</svg>', page, re.DOTALL
    )
    panels = [tables for part in report.parts(SAMPLE) for tables in part.tables]
    assert len(drawings) == len(panels)
    for drawing, (panel, points) in zip(drawings, panels, strict=True):
        title, said, *_ = ElementTree.fromstring(drawing)  # noqa: S314 - our own
        assert title.text == panel.name
        for point in points:
            assert f"measured {plots.figure(point.measured.value)}" in (said.text or "")


def test_the_tables_go_with_the_page(page: str) -> None:
    for part in report.parts(SAMPLE):
        assert part.csv in page
        assert part.points


def test_a_contradiction_is_drawn_hollow_and_named() -> None:
    drawn = plots.draw(LINE, POINTS, LINES, "key")

    assert drawn.count('class="off"') == 1
    assert "4 sync workers at 40: measured 15, predicted 40" in drawn


def test_a_prediction_is_drawn_as_a_function_with_its_bend_where_it_is() -> None:
    """Between the measured 1 and 40 users, and not by a straight line from one to the other."""
    drawn = plots.draw(LINE, POINTS, LINES, "key")

    first = re.search(r'class="predicted" d="M([^"]+)"', drawn)
    assert first is not None
    places = [tuple(map(float, place.split())) for place in first[1].split("L")]
    assert len(places) > 50
    flat = [x for x, y in places if y == places[-1][1]]
    whole = places[-1][0] - places[0][0]
    assert (min(flat) - places[0][0]) / whole == pytest.approx(0.376, abs=0.01)  # log 4 / log 40


def test_what_was_measured_for_a_prediction_gives_it_a_band() -> None:
    overhead = Estimate(0.02, 0.01, 0.03)
    unsure = line("Throughput", "event loop", "throughput", seats=9, service=0.1, overhead=overhead)

    assert unsure(9).low == pytest.approx(9 / 0.13)
    assert unsure(9).high == pytest.approx(9 / 0.11)
    assert 'class="band"' in plots.draw(LINE, POINTS, [unsure], "key")
    assert 'class="band"' not in plots.draw(LINE, POINTS, LINES, "key")


def test_a_server_has_its_shape_in_every_plot() -> None:
    all_of_them = [f"{n} sync workers" for n in (1, 2, 4, 8)]

    assert (
        plots.shapes(all_of_them)["4 sync workers"]
        == plots.shapes(["4 sync workers"])["4 sync workers"]
    )
    assert len(set(plots.shapes(["event loop, pool of 5", "event loop, pool of 20"]).values())) == 2


def test_the_score_counts_no_point_that_is_another_one_in_disguise() -> None:
    part = report.parts(SAMPLE)[0]
    disguised = [replace(each, independent=False) for each in part.points]
    shown = replace(part, points=[*part.points, *disguised])

    assert (shown.independent, shown.agreeing) == (part.independent, part.agreeing)


def test_differences_below_the_noise_are_no_contradiction() -> None:
    off = point("event loop", 0, 1, 4)

    assert off.ratio == 4
    assert off.agrees(noise=5)
    assert not off.agrees(noise=0)
    assert 'class="off"' not in plots.draw(ROWS, [off], [], "key")


def test_names_at_the_right_do_not_touch() -> None:
    crowd = [point(f"{n} sync workers", 1, 10, 10) for n in range(6)]

    drawn = plots.draw(LINE, crowd, [], "key")

    heights = [float(y) for y in re.findall(r'y="([\d.]+)" text-anchor="start" class="n', drawn)]
    assert len(heights) == 6
    assert all(after - before >= 13 for before, after in pairwise(heights))
    assert heights[-1] < plots.HEIGHT


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (0.0512, "0.05"), (9.69, "9.69"), (154.2, "154"), (1320, "1,320")]
)
def test_figures_have_three_digits(value: float, said: str) -> None:
    assert plots.figure(value) == said


def test_a_table_comes_back_as_it_went(tmp_path: Path) -> None:
    experiment = report.experiment("slow_client")
    name = "The longest wait for /health"
    points = [
        Point(name, "2 sync workers", 4, Estimate.exact(360), Estimate(372.5, 350, 377), "of 3")
    ]
    lines: list[Line] = [line(name, "2 sync workers", "step", seats=2, below=1, above=360)]

    save(experiment, points, lines, tmp_path)

    assert read(tmp_path / "slow_client.csv") == points
    assert read_lines(tmp_path / "slow_client.csv") == lines


def test_without_nginx_the_sentence_says_so() -> None:
    experiment = report.experiment("slow_client")
    name = "The longest wait for /health"
    exact = Estimate.exact
    points = [Point(name, "2 sync workers", 4, exact(360), exact(372), "of 3")]

    assert "nginx was not on this machine" in experiment.says("remember", points)
