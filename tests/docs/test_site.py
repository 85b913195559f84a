"""The docs site: it builds without a warning, is complete, loads nothing from a network, and lists every public name of the API."""

import hashlib
import re
import runpy
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

import r1sdk
import r1sdk.testing

ROOT = Path(__file__).parents[2]
SHIM = {
    "iframe-worker.js": "e8e412dbcfea9b7e31b5ffa288d7b6035915e714c542f4176a0cdbe262fc9609",
    "iframe-worker.LICENSE": "dd69737a4768aab9f934a5aed9efab9561ac4062d4fdbe490d44369a2cf48b6b",
}
LOADED = {  # what a browser fetches by itself, by element
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "video": "src",
}


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def pages():
    """The Markdown files that the configuration lets in, as the navigation names them."""
    folders = (".", "docs", "docs/examples", "docs/examples/*", "benchmarks", "plugins/r1_models/tiny")
    names = ("README.md", "*.md", "README.md", "README.md", "README.md", "README.md")
    return {"CONTRIBUTING.md", "CHANGELOG.md"} | {
        str(file.relative_to(ROOT))
        for folder, name in zip(folders, names, strict=True)
        for file in ROOT.glob(f"{folder}/{name}")
    }


def settings():
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def navigated(entry):
    """The pages of a navigation, in order."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in navigated(part)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site. Zensical writes beside its settings, so it is given a copy of the pages."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    top = ("mkdocs.yml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")
    for name in (*top, "benchmarks/README.md", "plugins/r1_models/tiny/README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build" / "site"


def test_every_page_is_in_the_navigation_once_and_every_entry_is_a_page():
    entries = navigated(settings()["nav"])
    assert sorted(entries) == sorted(pages()), "mkdocs.yml: nav"


def test_each_page_of_the_navigation_is_built(site):
    built = {str(file.relative_to(site)) for file in site.rglob("*.html")}
    wanted = {re.sub(r"(README)?\.md$", lambda m: "index.html" if m[1] else ".html", page) for page in pages()}
    assert built == wanted | {"404.html"}


def test_no_page_asks_a_network_for_anything(site):
    for file in site.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        fetched = [attrs.get(LOADED[tag], "") for tag, attrs in Elements(text).found if tag in LOADED]
        outside = [target for target in fetched if re.match(r"([a-z]+:)?//", target)]
        assert not outside, f"{file.name} loads {outside}"
        assert 'class="mermaid"' not in text, f"{file.name}: the theme draws diagrams with a script from a network"
    for file in [*site.rglob("*.css"), *site.rglob("*.svg")]:
        outside = re.findall(r"(?:url\(|@import )['\"]?(?:[a-z]+:)?//[^)'\"]*", file.read_text(encoding="utf-8"))
        assert not outside, f"{file.name} loads {outside}"


def test_every_link_of_the_site_leads_to_a_file_and_a_place_in_it(site):
    elements = {file: Elements(file.read_text(encoding="utf-8")).found for file in site.rglob("*.html")}
    places = {file: {attrs["id"] for _, attrs in found if "id" in attrs} for file, found in elements.items()}
    for file, found in elements.items():
        if file.name == "404.html":
            continue
        for tag, attrs in found:
            target = attrs.get("href" if tag in ("a", "link") else "src", "")
            if not target or re.match(r"([a-z]+:|//)", target):
                continue
            path, _, place = target.partition("#")
            goal = (file.parent / unquote(path)).resolve() if path else file
            where = f"{file.relative_to(site)}: {target}"
            assert goal.is_file(), f"{where} is no file of the site"
            if place and goal.suffix == ".html":
                assert unquote(place) in places[goal], f"{where}: no such place"


def test_the_search_finds_every_page_without_a_server(site):
    index = (site / "search.js").read_text(encoding="utf-8")
    for page in pages():
        location = re.sub(r"(README)?\.md$", lambda m: "index.html" if m[1] else ".html", page)
        assert f'"{location}' in index or location == "index.html", f"the search does not know {page}"
    assert all("iframe-worker.js" in file.read_text(encoding="utf-8") for file in site.rglob("*.html"))


def test_the_site_is_light_and_dark_as_its_reader_is(site):
    palettes = settings()["theme"]["palette"]
    assert [(p["media"], p["scheme"]) for p in palettes] == [
        ("(prefers-color-scheme: light)", "default"),
        ("(prefers-color-scheme: dark)", "slate"),
    ]
    text = (site / "index.html").read_text(encoding="utf-8")
    assert all(palette["media"] in text for palette in palettes)


def test_the_shim_of_the_search_lies_here_as_its_author_published_it():
    folder = ROOT / "docs" / "theme" / "assets" / "javascripts"
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()} == SHIM


@pytest.fixture(scope="module")
def generator():
    return runpy.run_path(str(ROOT / "docs" / "_generate_api.py"))


def test_the_api_page_is_what_the_source_says(generator):
    written = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert written == generator["page"](), "run python docs/_generate_api.py"


@pytest.mark.parametrize("module", [r1sdk, r1sdk.testing], ids=lambda module: module.__name__)
def test_the_api_page_has_every_public_name(module):
    headings = re.findall(r"^### `(\w+)`$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(module.__all__) <= set(headings)


def test_every_public_name_says_what_it_is(generator):
    assert generator["gaps"]() == []
