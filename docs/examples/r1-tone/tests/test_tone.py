"""What `tone` pays, with the stand-in service on a port of this machine; and where there is none."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

import r1sdk
from r1_tone import Tone
from r1_tone.service import Handler
from r1sdk.testing import CheckPlugin, MakeRollout, Price, in_format


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_the_price_is_what_the_service_says(rollout: MakeRollout, price: Price, url: str) -> None:
    half = rollout(in_format("4", think="is it 5 ? no\nit is 4"))
    kind = rollout(in_format("4", think="it is 4"))
    assert price(Tone(url), half, kind) == [0.5, 1.0]


def test_many_at_once_are_all_priced(rollout: MakeRollout, price: Price, url: str) -> None:
    assert price(Tone(url, max_concurrent=3), *[rollout(in_format("4"))] * 40) == [1.0] * 40


def test_a_reply_without_the_format_has_no_price(rollout: MakeRollout, price: Price, url: str) -> None:
    assert price(Tone(url), rollout("it is 4")) == [None]


def test_a_service_that_does_not_answer_is_unavailable(rollout: MakeRollout) -> None:
    with pytest.raises(r1sdk.Unavailable, match="127.0.0.1:9"):
        asyncio.run(Tone("http://127.0.0.1:9/", timeout_s=1.0)(rollout(in_format("4"))))


@pytest.mark.parametrize("options", [{"url": "ftp://x"}, {"timeout_s": 0.0}, {"max_concurrent": 0}])
def test_options_that_cannot_be_meant_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Tone(**options)  # type: ignore[arg-type]


def test_it_keeps_the_contract(check_plugin: CheckPlugin, url: str) -> None:
    check_plugin("reward", "tone", url=url)
