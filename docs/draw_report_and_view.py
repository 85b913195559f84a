"""The pictures of docs/report-and-view.md, from a finished run: `python docs/draw_report_and_view.py RUN_DIR docs`.

The viewer's is an SVG that textual exports. The page's are PNGs by Chromium, if it is here: the upper part light and dark, and the lower part.
"""

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from r1_cli.viewer.app import ViewApp
from r1sdk.report import write_report

PAGE_WIDTH = 1280
PAGES = (  # picture, Chromium's number for the colours, height, whether it begins at what went wrong
    ("report.png", "1", 1500, False),
    ("report-dark.png", "0", 1500, False),
    ("report-samples.png", "1", 1250, True),
)
CLOSED, OPEN = '<details class="kinds">', '<details class="kinds" open>'
UPPER = re.compile(r'<section (id="(?:held-out|g\d)")')


async def draw_viewer(run: Path, folder: Path) -> None:
    """The list with a rollout beside it, and a group side by side."""
    app = ViewApp(run, 'step>1 verdict:wrong "not given"')
    async with app.run_test(size=(132, 34)) as pilot:
        await app.workers.wait_for_complete()
        await pilot.press("down", "down")
        await pilot.pause()
        (folder / "view.svg").write_text(own_fonts(app.export_screenshot(title=f"r1 view {run}")), encoding="utf-8")
        await pilot.press("g")
        await pilot.pause(0.5)
        (folder / "view-group.svg").write_text(
            own_fonts(app.export_screenshot(title=f"r1 view {run}")), encoding="utf-8"
        )


def own_fonts(svg: str) -> str:
    """The picture without fonts from a network: those that it names are the reader's own."""
    svg = re.sub(r"@font-face\s*\{[^}]*\}", "", svg)
    return svg.replace("Fira Code", "Menlo, Consolas, DejaVu Sans Mono")


def draw_page(run: Path, folder: Path) -> None:
    """The page of `run`, as `PAGES` says."""
    with tempfile.TemporaryDirectory() as scratch:
        page = write_report([run], Path(scratch) / "report.html")
        whole = page.read_text(encoding="utf-8")
        for name, scheme, height, lower in PAGES:
            text = UPPER.sub(r"<section hidden \1", whole).replace(CLOSED, OPEN, 1) if lower else whole
            page.write_text(text, encoding="utf-8")
            shoot(page, folder / name, scheme, height)


def shoot(page: Path, picture: Path, scheme: str, height: int) -> bool:
    """Whether a picture of `page` could be made: `scheme` is "1" for light, "0" for dark."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((found for name in names if (found := shutil.which(name))), None)
    if browser is None:
        print(f"no Chromium here: {picture.name} stays as it is", file=sys.stderr)
        return picture.is_file()
    command = [
        *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *("--virtual-time-budget=3000", f"--blink-settings=preferredColorScheme={scheme}"),
        *(f"--window-size={PAGE_WIDTH},{height}", f"--screenshot={picture.resolve()}", page.resolve().as_uri()),
    ]
    subprocess.run(command, check=True, capture_output=True)
    with Image.open(picture) as image:  # 64 colours are enough for a page of text and lines, in a third of the bytes
        few = image.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)
    return True


if __name__ == "__main__":
    asyncio.run(draw_viewer(Path(sys.argv[1]), Path(sys.argv[2])))
    draw_page(Path(sys.argv[1]), Path(sys.argv[2]))
