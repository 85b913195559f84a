"""Progress and speed of a generation."""

import time
from collections import deque
from dataclasses import dataclass, field

WINDOW_S = 60.0  # the speed is measured over this many seconds


@dataclass
class Meter:
    """Counts the answers of this call and of earlier ones."""

    total: int = 0  # answers wanted
    done: int = 0  # answers on disk
    failed: int = 0  # in this call: no answer after all retries
    retried: int = 0  # in this call: retries
    judged: int = 0  # answers with a verdict
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unmetered: int = 0  # answers whose server reported no or impossible numbers of tokens
    started: float = field(default_factory=time.monotonic)
    _marks: deque[tuple[float, int, int]] = field(default_factory=deque)  # time, answers, tokens

    def count_answer(
        self,
        prompt_tokens: int | None,
        completion_tokens: int | None,
        unmetered: bool = False,
        before: bool = False,
    ) -> None:
        """Count an answer. `unmetered`: some of its turns are missing. `before`: it was on disk when this call started."""
        self.done += 1
        self.prompt_tokens += prompt_tokens or 0
        self.completion_tokens += completion_tokens or 0
        self.unmetered += unmetered or prompt_tokens is None or completion_tokens is None
        if not before:
            now = time.monotonic()
            self._marks.append((now, self.done, self.completion_tokens))
            while now - self._marks[0][0] > WINDOW_S:
                self._marks.popleft()

    def count_failure(self, prompt_tokens: int | None, completion_tokens: int | None, retries: int) -> None:
        """Count a request that failed, with the tokens of its turns that were answered."""
        self.failed += 1
        self.retried += retries
        self.prompt_tokens += prompt_tokens or 0
        self.completion_tokens += completion_tokens or 0

    def speed(self) -> tuple[float, float]:
        """Return answers and completion tokens per second."""
        if len(self._marks) < 2:
            return 0.0, 0.0
        (then, answers, tokens), (now, answers_now, tokens_now) = self._marks[0], self._marks[-1]
        seconds = max(now - then, 1e-9)
        return (answers_now - answers) / seconds, (tokens_now - tokens) / seconds

    def remaining_s(self) -> float | None:
        """Return the seconds left at the present speed; None if the speed is unknown."""
        answers, _ = self.speed()
        return (self.total - self.done) / answers if answers else None

    def __str__(self) -> str:
        _, tokens = self.speed()
        left = self.remaining_s()
        parts = [f"{self.done}/{self.total} answers", f"{tokens:,.0f} tokens/s"]
        if left is not None and self.done < self.total:
            parts.append(f"{_clock(left)} left")
        if self.retried:
            parts.append(f"{self.retried} retries")
        if self.failed:
            parts.append(f"{self.failed} without an answer")
        return ", ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
