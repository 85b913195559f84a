"""The shape of the repository: which packages there are, who may import whom, and what the wheel holds."""

import ast
import importlib
import json
import os
import runpy
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import r1sdk

ROOT = Path(__file__).parents[2]
PACKAGES = [
    Path(p)
    for p in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
]
NAMES = {path.name for path in PACKAGES}
PLUGINS = NAMES - {"r1sdk", "r1_cli"}

GENERATOR = runpy.run_path(str(ROOT / "docs" / "_generate_layers.py"))
LAYERS = GENERATOR["LAYERS"]


def sources(package: Path) -> Iterator[tuple[str, ast.Module]]:
    """Each module of a package, by its dotted name, parsed."""
    for file in sorted((ROOT / package).rglob("*.py")):
        parts = file.relative_to((ROOT / package).parent).with_suffix("").parts
        yield ".".join(parts), ast.parse(file.read_text(encoding="utf-8"))


def imports(name: str, tree: ast.Module) -> Iterator[str]:
    """What a module imports, in functions too: `package.module.name` for each name taken from a module."""
    package = name.removesuffix(".__init__").split(".") if name.endswith(".__init__") else name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{prefix}.{alias.name}" for alias in node.names)


def every_import(packages: set[str]) -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        if package.name in packages:
            for name, tree in sources(package):
                yield from ((name, imported) for imported in imports(name, tree))


def module_of(imported: str) -> str:
    return imported.rpartition(".")[0]


def test_the_packages_have_unique_names_and_all_exist():
    assert len(NAMES) == len(PACKAGES)
    assert {
        "r1sdk",
        "r1_verifiers",
        "r1_rewards",
        "r1_advantages",
        "r1_models",
        "r1_sandboxes",
        "r1_envs",
        "r1_recipes",
        "r1_cli",
    } <= NAMES
    for package in PACKAGES:
        assert (ROOT / package / "__init__.py").is_file()
        assert (ROOT / package / "py.typed").is_file()


@pytest.mark.parametrize("folder", ["plugins", "envs", "recipes", "cli", "tests", "docs"])
def test_the_folders_that_hold_packages_are_none_themselves(folder):
    assert not (ROOT / folder / "__init__.py").exists()


def test_plugins_import_what_r1sdk_names_and_nothing_deeper():
    for module, imported in every_import(PLUGINS):
        top, _, rest = imported.partition(".")
        if top == "r1sdk":
            assert not rest or rest in r1sdk.__all__, f"{module} imports {imported}"


def test_plugins_reach_no_module_of_r1sdk_through_an_attribute():
    for package in PACKAGES:
        if package.name in PLUGINS:
            for module, tree in sources(package):
                for node in ast.walk(tree):
                    if (
                        isinstance(node, ast.Attribute)
                        and isinstance(node.value, ast.Name)
                        and node.value.id == "r1sdk"
                    ):
                        assert node.attr in r1sdk.__all__, f"{module} uses r1sdk.{node.attr}"


def test_plugin_packages_import_each_others_public_names_and_no_inner_module():
    for module, imported in every_import(PLUGINS):
        here, (there, _, name) = module.split(".")[0], imported.partition(".")
        if there in NAMES - {"r1sdk", here}:
            assert not name or name in getattr(importlib.import_module(there), "__all__", ()), (
                f"{module} imports {imported}"
            )


def test_the_command_line_calls_the_api_and_nothing_deeper():
    """`r1sdk`, and what a package of r1sdk shows in its `__all__`; no module within one."""
    for module, imported in every_import({"r1_cli"}):
        top, _, rest = imported.partition(".")
        if top != "r1sdk" or not rest or rest in r1sdk.__all__ or rest == "api":
            continue
        package, _, name = rest.partition(".")
        shown = getattr(importlib.import_module(f"r1sdk.{package}"), "__all__", ())
        assert name in shown, f"{module} imports {imported}, which {package} does not show"


def test_core_imports_no_plugin_and_not_the_command_line():
    for module, imported in every_import({"r1sdk"}):
        assert not imported.split(".")[0].startswith("r1_"), f"{module} imports {imported}"


def test_the_layers_of_core_point_one_way():
    for module, imported in every_import({"r1sdk"}):
        if not imported.startswith("r1sdk."):
            continue
        here, there = module.split(".")[1], imported.split(".")[1]
        if here == "__init__":
            assert there in LAYERS, f"r1sdk itself imports {there}, which is no layer"
            continue
        assert here in LAYERS, f"r1sdk.{here} has no place among the layers"
        assert here == there or there in LAYERS[: LAYERS.index(here)], (
            f"{module} imports {imported}, which comes after it"
        )


def test_the_page_has_the_layers_of_today():
    written = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert written == GENERATOR["page"](), "run python docs/_generate_layers.py"


def test_each_layer_says_its_duty():
    assert all(GENERATOR["duty"](layer) for layer in LAYERS)


def test_no_two_modules_share_a_name():
    seen: dict[str, list[Path]] = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            if not file.stem.startswith("__"):
                seen.setdefault(file.stem, []).append(file.relative_to(ROOT))
    assert {name: files for name, files in seen.items() if len(files) > 1} == {}


def test_no_two_public_classes_share_a_name():
    seen: dict[str, list[str]] = {}
    for package in PACKAGES:
        for name, tree in sources(package):
            for node in tree.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    seen.setdefault(node.name, []).append(name)
    assert {name: modules for name, modules in seen.items() if len(modules) > 1} == {}


def test_no_module_imports_itself_through_others():
    names = {name.removesuffix(".__init__") for package in PACKAGES for name, _ in sources(package)}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for module, imported in every_import(NAMES):
        target = imported if imported in names else module_of(imported)
        if target in names and target != module.removesuffix(".__init__"):
            graph[module.removesuffix(".__init__")].add(target)
    # Remove what imports nothing that is left, again and again; what stays is in a circle or stands on one.
    while free := [name for name, targets in graph.items() if not targets]:
        for name in free:
            del graph[name]
        for targets in graph.values():
            targets -= set(free)
    left = {target for targets in graph.values() for target in targets}
    assert {name: sorted(targets & set(graph)) for name, targets in graph.items() if name in left} == {}


@pytest.mark.parametrize("library", ["torch", "transformers", "trl", "accelerate", "datasets", "vllm"])
def test_the_libraries_of_training_are_imported_where_models_are_and_nowhere_else(library):
    places = {
        ".".join(module.split(".")[:2])
        for module, imported in every_import({"r1sdk"})
        if imported.split(".")[0] == library
    }
    allowed = (
        {"r1sdk.training"} if library in ("trl", "accelerate", "datasets") else {"r1sdk.training", "r1sdk.rollout"}
    )
    # The receipts stand on their own, so that plain TRL can use them; they run in a trainer and in vLLM's workers.
    assert places <= allowed | ({"r1sdk.receipts"} if library in ("torch", "accelerate", "vllm") else set())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names in the wheel that hatchling builds from this tree."""
    from hatchling.builders.wheel import WheelBuilder

    built = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"]))
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_packages_by_name_and_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert {name for name in tops if not name.endswith(".dist-info")} == NAMES
    assert len(tops) == len(NAMES) + 1


def test_the_wheel_holds_every_file_of_every_package(wheel):
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert file.relative_to((ROOT / package).parent).as_posix() in wheel, f"{file} is not shipped"
    assert any(name.startswith("r1_recipes/") and name.endswith(".yaml") for name in wheel)
    assert "r1_models/tiny/tokenizer.json" in wheel


def test_without_the_first_party_plugins_core_has_no_names_at_all():
    program = "import json, r1sdk.plugins.loading as p; r = p.load_plugins(); print(json.dumps([[*map(list, r.entries)], r.failures]))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "R1_DISABLE_PLUGINS": "r1sdk"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [[], []]
