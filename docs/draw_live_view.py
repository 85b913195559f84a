"""The live view of a run as a picture: `python docs/draw_live_view.py RUN_DIR docs/train.svg`."""

import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from r1sdk.progress.follower import Follower
from r1sdk.progress.live import render
from r1sdk.storage.run_folder import RunFolder


def main(run: Path, picture: Path) -> None:
    follower = Follower(RunFolder.open(run))
    follower.refresh()
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=112, file=nowhere, force_terminal=True)
        console.print(render(follower))
    text = console.export_svg(title="r1 train --env countdown --rewards accuracy,format", theme=MONOKAI)
    # A page that shows the picture fetches nothing: the fonts that it names are the reader's own.
    lines = text.splitlines()
    kept, inside = [], False
    for line in lines:
        inside = inside or "@font-face" in line
        if not inside:
            kept.append(line.replace("Fira Code", "Menlo, Consolas, DejaVu Sans Mono"))
        elif line.strip() == "}":
            inside = False
    picture.write_text("\n".join(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
