"""math-verify's LaTeX grammar, read in two stages: the same trees in less than half the time.

First by ANTLR's SLL prediction, which keeps what it finds out; where that ends in a syntax error, by the LL prediction that the
library starts with. What SLL reads without an error, LL reads the same (Parr, Harwell and Fisher, "Adaptive LL(*) Parsing", 2014,
section 3; the class comment of ANTLR's `PredictionMode`). A test compares the trees.
"""

from typing import Any

from antlr4.atn.PredictionMode import PredictionMode
from latex2sympy2_extended import latex2sympy2

_Parser: Any = latex2sympy2.PSParser


class TwoStageParser(_Parser):  # type: ignore[misc]
    """The parser that `latex2sympy` makes for each text."""

    def math(self) -> Any:
        """The tree of the whole text. Raises: Exception, from the error listener, where it is no mathematics."""
        self.getTokenStream().fill()  # a character that is no token is refused here: a second reading would miss it
        self._interp.predictionMode = PredictionMode.SLL
        try:
            return super().math()
        except Exception:  # noqa: BLE001  raised by the library's error listener
            self.reset()
            self._interp.predictionMode = PredictionMode.LL
            return super().math()


def install() -> None:
    """Have `latex2sympy` read so from now on, in this process."""
    latex2sympy2.PSParser = TwoStageParser
