"""What the documents say of the tests is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


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
