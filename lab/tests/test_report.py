"""The page: everything in it, nothing from elsewhere, and what contradicts is shown."""

import html
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab import experiments, plots, report
from lab.results import Panel, Point, read, save
from tests.servers import ROOT

SAMPLE = ROOT / "docs" / "lab-report"
LINE = Panel("Throughput", "answers per second", "users", log_x=True, log_y=True)
ROWS = Panel("Memory", "megabytes", noise=5)
POINTS = [
    Point("Throughput", "4 sync workers", 1, 10, (9.0, 10.0, 11.0)),
    Point("Throughput", "4 sync workers", 40, 40, (14.0, 15.0, 16.0)),
    Point("Throughput", "event loop", 1, 10, (10.0,)),
    Point("Throughput", "event loop", 40, 400, (390.0,)),
]


@pytest.fixture(scope="module")
def page() -> str:
    return report.render(SAMPLE)


class Links(HTMLParser):
    """Everything that a browser would fetch or follow."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [str(v) for name, v in attrs if name in {"src", "href", "srcset", "action"}]


def test_the_sample_is_what_its_tables_make(page: str) -> None:
    assert (ROOT / "docs" / "lab-report.html").read_text("utf-8") == page


def test_every_experiment_is_in_the_sample(page: str) -> None:
    for part in report.parts(SAMPLE):
        assert f'id="{part.experiment.name}"' in page
        assert html.escape(part.text["title"]) in page

    assert [part.experiment.name for part in report.parts(SAMPLE)] == experiments.NAMES


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    assert {link.partition(":")[0] for link in Links(page).found if link[0] != "#"} == {"data"}
    assert re.findall(r"@import|url\(|<script|<iframe|<link", page) == []


def test_the_machine_is_described_and_not_named(page: str) -> None:
    assert {"processors", "memory", "Python", "nginx"} <= set(report.read_machine(SAMPLE))
    assert re.findall(r"/home/|/root/|/tmp/|/work/", page) == []


def test_every_plot_has_a_text_that_says_its_figures(page: str) -> None:
    drawings = re.findall(r'<svg viewBox="[^"]*" role="img".*?</svg>', page, re.DOTALL)
    panels = [tables for part in report.parts(SAMPLE) for tables in part.tables]
    assert len(drawings) == len(panels)
    for drawing, (panel, points) in zip(drawings, panels, strict=True):
        title, said, *_ = ElementTree.fromstring(drawing)  # noqa: S314 - our own
        assert title.text == panel.name
        for point in points:
            assert f"measured {plots.figure(point.median)}" in (said.text or "")


def test_the_tables_go_with_the_page(page: str) -> None:
    for part in report.parts(SAMPLE):
        assert part.csv in page
        assert part.points


def test_a_contradiction_is_drawn_hollow_and_named() -> None:
    drawn = plots.draw(LINE, POINTS, "key")

    assert drawn.count('class="off"') == 1
    assert "4 sync workers at 40: measured 15, predicted 40" in drawn


def test_differences_below_the_noise_are_no_contradiction() -> None:
    point = Point("Memory", "event loop", 0, 1, (4.0,))

    assert point.ratio == 4
    assert point.agrees(noise=5)
    assert not point.agrees(noise=0)
    assert 'class="off"' not in plots.draw(ROWS, [point], "key")


def test_names_at_the_right_do_not_touch() -> None:
    crowd = [Point("Throughput", f"{n} sync workers", 1, 10, (10.0,)) for n in range(6)]

    drawn = plots.draw(LINE, crowd, "key")

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
    points = [Point(name, "2 sync workers", 4, 360.0, (350.0, 377.0, 372.5))]

    save(experiment, points, tmp_path)

    assert read(tmp_path / "slow_client.csv") == points


def test_without_nginx_the_sentence_says_so() -> None:
    experiment = report.experiment("slow_client")
    points = [Point("The longest wait for /health", "2 sync workers", 4, 360.0, (372.0,))]

    assert "nginx was not on this machine" in experiment.says("remember", points)
