"""The verifier `judge`: another model says whether the answer is the gold answer, or how many points a rubric gives it."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import r1sdk

from ..cells import cell_text
from .judge_cache import Cache

if TYPE_CHECKING:  # loaded when the judge is asked: asyncio takes longer than all the other rewards
    from .judge_client import JudgeSession
    from .judge_prompt import JudgeQuestion


@dataclass(frozen=True)
class JudgeVerifier:
    """0.0 to 1.0: the points that a model behind an OpenAI-compatible server gives the answer, over `points`.

    Without a rubric the judge says whether the answer is the gold answer; a task without one is unverifiable. A reply
    without an answer earns 0.0, and nobody is asked. Where the server does not answer, or its reply has no verdict twice,
    there is no value, and the status is `error`.

    One question takes (retries + 1) * timeout_s and the waits between at most. One question that is asked twice, as for equal
    answers in a group, is sent once. The key is read from the environment and is in no option, file or message.

    The judge reads text that was trained to please it. The text is quoted so that it cannot leave its place nor imitate a
    verdict, but a judge may be persuaded: give this a small weight beside a reward that checks, and read what climbs.
    """

    base_url: str = ""  # of the server, e.g. http://localhost:8000/v1
    model: str = ""  # as the server calls it
    rubric: str = ""  # criteria for points, in words; empty: compare with the gold answer
    points: int = 1  # the judge gives a whole number from 0 to this
    judged: Literal["answer", "reply"] = "answer"  # the answer block, or the whole reply
    api_key_env: str | None = None  # the NAME of the environment variable that holds the key; None: no key is needed
    timeout_s: float = 60.0  # of one request
    retries: int = 3  # after a failure that may pass: no connection, no reply in time, 408, 409, 425, 429, 5xx
    backoff_s: float = 1.0  # before the first retry, then twice as long each time, at most 30 s
    max_wait_s: float = 30.0  # the longest wait that the server may ask for with Retry-After
    max_concurrent: int = 8  # requests at a time from this process
    max_chars: int = 8000  # of the judged text; the middle of a longer one is omitted
    max_tokens: int = 1024  # of the judge's reply, its reasoning included
    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # the server's name for the limit
    temperature: float | None = 0.0  # None: the server's own
    cache_entries: int = 100_000  # verdicts kept in memory
    cache_file: str | None = None  # where they are kept beyond this run: hashes and scores, no text
    _cache: Cache = field(init=False, repr=False, compare=False)
    _sessions: dict[Any, Any] = field(init=False, repr=False, compare=False, default_factory=dict)  # by event loop

    def __post_init__(self) -> None:
        self._server()  # raises for an invalid server
        for name, least in (("points", 1), ("max_chars", 2), ("max_tokens", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.points > 1000:
            raise ValueError(f"points must be at most 1000, got {self.points}")
        if self.cache_entries < 0:
            raise ValueError(f"cache_entries must not be below 0, got {self.cache_entries}")
        file = Path(self.cache_file).expanduser() if self.cache_file else None
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise ValueError(f"cache_file {self.cache_file!r} must be a file in a folder that is there")
        object.__setattr__(self, "_cache", Cache(file, self.cache_entries))

    reads: ClassVar[Sequence[str]] = ("answer",)

    def pose(self, row: r1sdk.RowView) -> r1sdk.Posed:
        """Return the answer column as the gold answer; with a rubric a row may lack it."""
        value = row.find("answer") if self.rubric else row.get("answer")
        return r1sdk.Posed(answer=None if value is None else cell_text(value))

    def read_gold(self, task: r1sdk.Task) -> str | None:
        """Return the gold answer, or None where the rubric alone counts. Raises: Unverifiable where there is neither."""
        if not self.rubric and task.answer is None:
            raise r1sdk.Unverifiable("neither a gold answer nor a rubric")
        return task.answer

    async def verify(self, gold: str | None, reply: r1sdk.Submission) -> r1sdk.Verdict:
        """Return the judge's points. Raises: Unavailable where the judge does not answer."""
        return r1sdk.Verdict(await self.points_of(reply.rollout), extracted=(reply.answer or "")[:2048] or None)

    def gold_reply(self, task: r1sdk.Task) -> None:
        """Return None: a question to a server for each task would cost more than it tells."""

    async def points_of(self, rollout: r1sdk.Rollout) -> float:
        """Return the share of points that the judge gives. Raises: Unavailable."""
        text = rollout.completion.text
        answer = (r1sdk.extract_answer(text) or "") if self.judged == "answer" else text.strip()
        if not answer:
            return 0.0
        from .judge_prompt import ask

        question = ask(rollout.task, answer, self.rubric, self.points, self.max_chars)
        key = self._key(question)
        known = self._cache.get(key)
        if known is not None:
            return known
        async with self._session() as session:
            return await session.once(key, lambda: self._judge(session, question, key))

    async def _judge(self, session: "JudgeSession", question: "JudgeQuestion", key: str) -> float:
        """Raises: Unavailable."""
        reply = ""
        for again in (False, True):
            reply = (await session.ask(question.messages(again))).text
            score = question.read(reply)
            if score is not None:
                self._cache.put(key, score)
                return score
        raise r1sdk.Unavailable(
            f"the judge {self.base_url} gave no verdict twice, at last {session.redact(reply[-200:])!r}"
        )

    def _key(self, question: "JudgeQuestion") -> str:
        import hashlib

        asked = [self.base_url, self.model, self.temperature, self.max_tokens, question.messages()]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator["JudgeSession"]:
        """The session of the running event loop, opened by the first that asks and closed by the last.

        A batch is scored in a loop of its own, and connections cannot outlive the loop that they were made in.
        """
        import asyncio

        from .judge_client import JudgeSession

        loop = asyncio.get_running_loop()
        session: JudgeSession | None = self._sessions.get(loop)
        if session is None:
            session = self._sessions[loop] = JudgeSession(self._server())
        session.users += 1
        try:
            yield session
        finally:
            session.users -= 1
            if not session.users:
                del self._sessions[loop]
                await session.close()

    def _server(self) -> r1sdk.Server:
        body = {self.token_limit: self.max_tokens, "temperature": self.temperature}
        return r1sdk.Server(
            base_url=self.base_url,
            model=self.model,
            api_key_env=self.api_key_env,
            timeout_s=self.timeout_s,
            retries=self.retries,
            backoff_s=self.backoff_s,
            max_wait_s=self.max_wait_s,
            max_concurrent=self.max_concurrent,
            body=tuple((name, value) for name, value in body.items() if value is not None),
        )
