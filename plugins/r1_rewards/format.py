"""The reward `format`: whether a reply keeps the format that the system prompt asks for."""

from dataclasses import dataclass

import r1sdk


@dataclass(frozen=True)
class Format:
    """1.0 if the reply is one think block, then one answer block, and nothing else, else 0.0.

    After Open-R1's `format_reward`. Its regular expression also pays for text after the answer, for several pairs of
    blocks and for empty blocks; this does not.
    """

    strict_newlines: bool = False  # each tag on a line of its own and no other space between, as Open-R1 wants it
    think_is_open: bool = False  # the completion begins inside a think block whose `<think>` the record does not show

    def __call__(self, rollout: r1sdk.Rollout) -> float:
        text = rollout.completion.text
        if self.think_is_open:
            text = "<think>\n" + text
        if r1sdk.parse_reply(text) is None:
            return 0.0
        return float(not self.strict_newlines or _each_tag_on_its_line(text))


def _each_tag_on_its_line(text: str) -> bool:
    """True if each tag stands alone on its line, in a text that keeps the format."""
    return (
        text.startswith("<think>\n")
        and "\n</think>\n<answer>\n" in text
        and text.removesuffix("\n").endswith("\n</answer>")
    )
