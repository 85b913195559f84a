"""One output of a notebook cell that is drawn again and again in the same place."""

from io import StringIO
from typing import Any


class NotebookCell:
    """The place below a cell where pictures replace each other. Ipywidgets are not needed."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, renderable: Any) -> None:
        """Replace the last picture by another renderable of rich."""
        import IPython.display as ipython
        from rich.console import Console

        console = Console(record=True, width=100, file=StringIO(), force_jupyter=False, force_terminal=True)
        console.print(renderable)
        style = "font-family:monospace;line-height:1.2;white-space:pre"
        picture = ipython.HTML(
            console.export_html(inline_styles=True, code_format=f"<pre style='{style}'>{{code}}</pre>")
        )
        if self._handle is None:
            self._handle = ipython.display(picture, display_id=True)
        else:
            self._handle.update(picture)
