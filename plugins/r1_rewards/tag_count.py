"""The reward `tag_count`: partial credit on the way to the format."""

from dataclasses import dataclass

import r1sdk

WITH_NEWLINES = ("<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>")


@dataclass(frozen=True)
class TagCount:
    """0.25 for each of the four tags that occurs exactly once, so 0.0 to 1.0.

    After Open-R1's `tag_count_reward`, which counts each tag with its newlines (`strict_newlines`). The order of the tags
    is not looked at: that is what `format` is for.
    """

    strict_newlines: bool = False  # count a tag only together with its newlines, as Open-R1 does
    think_is_open: bool = False  # the completion begins inside a think block whose `<think>` the record does not show

    def __call__(self, rollout: r1sdk.Rollout) -> float:
        text = rollout.completion.text
        if self.think_is_open:
            text = "<think>\n" + text
        tags = WITH_NEWLINES if self.strict_newlines else r1sdk.TAGS
        return 0.25 * sum(text.count(tag) == 1 for tag in tags)
