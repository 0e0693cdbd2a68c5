"""What the documents say of the tests is there, and so is what they link to."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        path, _, heading = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE) if heading else []
        assert not heading or heading in {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}


def test_the_tests_of_hosts_are_there():
    named = re.findall(r"`((?:tests|js)/[\w/.]+|test_\w+\.py)`", (ROOT / "docs/hosts.md").read_text())
    assert len(named) > 5
    assert all((ROOT / name).exists() or (ROOT / "tests/browser" / name).exists() for name in named)


def test_every_pitfall_is_held_by_something_that_is_there():
    text = (ROOT / "docs/architecture.md").read_text().split("## Pitfalls")[1].split("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in text.splitlines() if re.match(r"\| \d", line)]
    numbers = [int(number) for row in rows for number in row[0].split(",")]
    assert numbers == list(range(1, 48))
    assert all(cell.strip() for row in rows for cell in row)
    defined = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert set(re.findall(r"`(test_\w+)`", text)) <= defined


def test_every_exhibit_that_is_named_is_in_the_zoo():
    from zoo import CASES

    text = (ROOT / "docs/architecture.md").read_text().split("## Pitfalls")[1].split("\n## ")[0]
    named = {one.strip() for group in re.findall(r"\[([a-z0-9 ,.]+)\]", text) for one in group.split(",")}
    others = {"sliced by 1", "sliced by 5", "fused", "..."}  # processors, of another test
    assert named - others <= set(CASES)
