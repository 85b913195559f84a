"""Servers that misbehave: every kind in tests/support/bad_servers.py, over real connections on loopback."""

import asyncio
import re
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

from bad_servers import GOOD_USAGE, KINDS, MAX_WAIT_S, BadServer

from r1sdk import Refused, Server, ServerSession, Unavailable
from r1sdk.generation import ServerSource, collect, plan_of
from r1sdk.generation.plan import server_of
from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import Recipe
from r1sdk.servers.retry_after import seconds_asked

# The refusals that every other request would get too end a generation at once (tests/cli/test_generate.py).
SURVIVED = {name: kind for name, kind in KINDS.items() if name not in ("refusal: 401", "refusal: 403", "refusal: 404")}
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def server(url, **options):
    settings = {"timeout_s": 0.25, "retries": 2, "backoff_s": 0.0, "max_wait_s": MAX_WAIT_S, "max_body_bytes": 250_000}
    return Server(url, "m", body=(("max_tokens", 100),), **{**settings, **options})


async def ask(fate, **options):
    """The reply or the exception, the number of requests, and the seconds."""
    async with BadServer(fate) as bad:
        session = ServerSession(server(bad.url, **options))
        started = time.monotonic()
        try:
            found = await session.ask([{"role": "user", "content": "hello"}])
        except Unavailable as error:
            found = error
        finally:
            await session.close()
        return found, bad.asked["hello"], time.monotonic() - started


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.heavy
def test_a_server_that_is_bad_once_costs_one_retry_and_no_answer(name):
    kind = KINDS[name]
    found, requests, seconds = asyncio.run(ask(lambda prompt, nth: name if nth == 0 else None))
    if kind.outcome == "refused":
        assert isinstance(found, Refused) and requests == 1
        return
    assert not isinstance(found, Exception), found
    if kind.outcome == "retried":
        assert (found.text, found.finish, requests, found.attempts) == ("fine", "stop", 2, 2)
        assert (found.prompt_tokens, found.completion_tokens) == tuple(GOOD_USAGE.values())
        assert kind.least_s <= seconds < 2.0
    else:
        assert (found.text, found.finish, requests, found.attempts) == (kind.text, kind.finish, 1, 1)
        assert (found.prompt_tokens, found.completion_tokens) == kind.tokens


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.outcome == "retried"])
@pytest.mark.heavy
def test_a_server_that_stays_bad_is_unavailable_after_the_last_retry_and_says_why(name):
    found, requests, seconds = asyncio.run(ask(lambda prompt, nth: name, retries=1))
    assert isinstance(found, Unavailable) and not isinstance(found, Refused)
    assert requests == found.attempts == 2 and seconds < 2.0
    assert KINDS[name].says in str(found) and len(str(found)) < 500


def test_a_wait_beyond_the_bound_is_said_with_the_bound():
    found, *_ = asyncio.run(ask(lambda prompt, nth: "Retry-After: 120", retries=1))
    assert "it asks to wait 120 s; max_wait_s is 0.15" in str(found)


def test_a_date_is_read_by_the_clock_of_the_server_and_else_by_ours():
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert seconds_asked({"Retry-After": later}, now) == 90.0
    clock = format_datetime(now + timedelta(seconds=60), usegmt=True)
    assert seconds_asked({"Retry-After": later, "Date": clock}, now) == 30.0
    assert seconds_asked({"Retry-After": later, "Date": "yesterday"}, now) == 90.0
    assert seconds_asked({}, now) == 0.0


def test_the_bound_on_waits_can_be_set_and_must_be_finite():
    server = {"url": "http://127.0.0.1:9/v1", "max_wait_s": 5}
    recipe = {"env": "countdown", "model": "m", "method": "generate", "collect": {"server": server}}
    assert server_of(Recipe.model_validate(recipe)).max_wait_s == 5.0
    with pytest.raises(ValueError, match="max_wait_s must be at least 0 and finite"):
        Server("http://127.0.0.1:9/v1", "m", max_wait_s=float("inf"))


def collected(folder, fate):
    """What a generation brings from a bad server, and how often it was asked, by prompt."""

    async def serve(ready, done):
        async with BadServer(fate) as bad:
            ready.append(bad)
            await done.wait()

    # The server has its own loop, in a thread, because `collect` blocks.
    ready, loop = [], asyncio.new_event_loop()
    done = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(ready, done),), daemon=True)
    thread.start()
    while not ready:
        time.sleep(0.01)
    settings = {"url": ready[0].url, "retries": 1, "backoff_s": 0.0, "timeout_s": 1.0, "concurrent": 16}
    recipe = {
        "env": {"name": "countdown", "options": {"train_size": len(SURVIVED)}},
        "method": "generate",
        "model": "m",
    }
    recipe |= {
        "generation": {"samples": 1},
        "collect": {"tasks": len(SURVIVED), "duplicates": True, "server": {**settings, "price": [1.0, 1.0]}},
    }
    run = plan_run(Recipe.model_validate(recipe), load_plugins())
    plan = plan_of(run, folder / "made.jsonl")
    source = ServerSource(server(ready[0].url, retries=1, timeout_s=1.0, max_concurrent=16))
    made = collect(plan, source)
    loop.call_soon_threadsafe(done.set)
    thread.join()
    return made, ready[0].asked, plan


@pytest.mark.heavy
def test_a_generation_from_every_bad_server_loses_nothing_and_counts_right(tmp_path):
    names, of = list(SURVIVED), {}

    def fate(prompt, nth):
        name = of.setdefault(prompt, names[len(of)] if len(of) < len(names) else None)
        return name if nth == 0 else None

    made, asked, _ = collected(tmp_path, fate)
    kinds = Counter(kind.outcome for kind in SURVIVED.values())
    assert asked.total() == len(SURVIVED) + kinds["retried"] and made.meter.retried == kinds["retried"]
    assert made.meter.done == len(SURVIVED) - kinds["refused"] and made.meter.failed == kinds["refused"]
    answered = [kind.tokens for kind in SURVIVED.values() if kind.outcome == "answered"]
    assert made.meter.prompt_tokens == 10 * kinds["retried"] + sum(prompt or 0 for prompt, _ in answered)
    assert made.meter.completion_tokens == 20 * kinds["retried"] + sum(tokens or 0 for _, tokens in answered)
    assert made.meter.unmetered == sum(None in tokens for tokens in answered)
    again, asked_again, _ = collected(tmp_path, lambda prompt, nth: None)
    assert asked_again.total() == kinds["refused"], "only what is missing is asked for"
    assert again.meter.done == len(SURVIVED) and again.meter.failed == 0


def test_the_page_has_every_group_with_its_number():
    text = PAGE.read_text(encoding="utf-8")
    groups = Counter(kind.group for kind in KINDS.values())
    table = dict(
        re.findall(r"^\| ([^|]+?) \| (\d+) \|", text.partition("## Bad servers")[2].partition("\n## ")[0], re.MULTILINE)
    )
    assert {name: int(number) for name, number in table.items()} == {**groups, "all": len(KINDS)}
