"""The versions that are claimed are those that are tested."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
MATRIX = ROOT / "tests" / "matrix"


def requirements(path):
    """What a constraints file pins, by name."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return by_name(line for line in lines if line)


def by_name(texts):
    return {requirement.name: requirement for requirement in map(Requirement, texts)}


def version(requirement, operator):
    """The one version that a requirement names."""
    (specifier,) = requirement.specifier
    assert specifier.operator == operator, f"{requirement} is more than {operator}"
    return Version(specifier.version)


def test_the_oldest_versions_that_are_tested_are_the_lower_bounds():
    claimed = by_name([*PROJECT["dependencies"], *EXTRAS["demo"]])
    oldest = requirements(MATRIX / "oldest.txt")
    del claimed["torch"], oldest["torch"]  # oldest.txt says why
    assert {name: version(one, "==") for name, one in oldest.items()} == {
        name: version(one, ">=") for name, one in claimed.items()
    }


def test_the_pinned_versions_are_within_the_bounds():
    pinned = requirements(ROOT / "constraints.txt")
    claimed = [
        Requirement(text) for text in [*PROJECT["dependencies"], *(one for some in EXTRAS.values() for one in some)]
    ]
    assert {Requirement(text).name for text in PROJECT["dependencies"]} <= set(pinned)
    for requirement in claimed:
        if requirement.name in pinned:
            assert requirement.specifier.contains(version(pinned[requirement.name], "==")), requirement


@pytest.mark.parametrize("row", sorted(path.stem for path in MATRIX.glob("*.txt")))
def test_every_row_has_the_torch_that_is_pinned(row):
    pins = [requirements(path)["torch"] for path in (ROOT / "constraints.txt", MATRIX / f"{row}.txt")]
    assert pins[0] == pins[1]
