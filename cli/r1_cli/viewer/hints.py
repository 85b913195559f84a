"""The keys of a screen at its bottom, on as many lines as the terminal needs. Each can be clicked."""

from collections.abc import Sequence

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.style import Style
from textual.widget import Widget

GAP = 2  # columns between two hints
KEY_NAMES = {"slash": "/", "question_mark": "?", "escape": "esc"}


class Hints(Widget):
    """A list of keys with their actions that wraps between two of them and hides none."""

    def __init__(self, bindings: Sequence[BindingType], namespace: str) -> None:
        """`namespace`: whose actions these are, `app` or `screen`."""
        super().__init__()
        shown = [hint for hint in Binding.make_bindings(bindings) if hint.show]
        first = {hint.action: hint for hint in reversed(shown)}  # one hint for an action with several keys
        self.hints = [
            (
                hint.key_display or KEY_NAMES.get(hint.key, hint.key),
                hint.description,
                _qualified(hint.action, namespace),
            )
            for hint in shown
            if first[hint.action] is hint
        ]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.size.width))

    def _lines(self, width: int) -> list[Content]:
        lines: list[Content] = []
        for key, description, action in self.hints:
            click = Style.from_meta({"@click": action})
            hint = Content.assemble((key, Style(bold=True) + click), (f" {description}", click))
            if lines and lines[-1].cell_length + GAP + hint.cell_length <= width:
                lines[-1] += Content(" " * GAP) + hint
            else:
                lines.append(hint)
        return lines or [Content("")]


def _qualified(action: str, namespace: str) -> str:
    return action if "." in action.partition("(")[0] else f"{namespace}.{action}"
