"""constraints.txt: the tested set is complete, and inside the ranges of pyproject.toml."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = ("train", "test", "server", "lora", "report", "view", "maths")


def constraints():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def test_each_constraint_is_one_version_of_one_package():
    found = constraints()
    names = [canonicalize_name(constraint.name) for constraint in found]
    assert len(set(names)) == len(names) and names == sorted(names)
    assert all(len(one.specifier) == 1 and str(one.specifier).startswith("==") for one in found)


def test_the_tested_set_has_every_dependency_in_its_range():
    versions = {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in constraints()}
    asked = [*PROJECT["dependencies"], *(text for extra in EXTRAS for text in PROJECT["optional-dependencies"][extra])]
    wrong = []
    for requirement in map(Requirement, asked):
        name = canonicalize_name(requirement.name)
        if name != "r1sdk" and not requirement.specifier.contains(versions.get(name, "0"), prereleases=True):
            wrong.append(f"{requirement}: {versions.get(name)}")
    assert not wrong, "write it anew: python .ci/lock > constraints.txt"


def test_the_image_is_built_from_the_tested_set():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (torch,) = [str(one.specifier) for one in constraints() if one.name == "torch"]
    assert "--constraint constraints.txt" in text and f"torch{torch} " in text
