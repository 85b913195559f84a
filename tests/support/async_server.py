"""Stands in for a vLLM server where none can run: a model of transformers behind the requests that asynchronous training makes.

    python tests/support/async_server.py MODEL PORT

Weights come as safetensors in a request of its own, /weights, in place of NCCL; the rest is as vLLM has it.
"""

import asyncio
import sys
from typing import Any

import torch
from aiohttp import web
from safetensors.torch import load
from transformers import AutoModelForCausalLM, GenerationConfig


class Engine:
    """One completion after another, each whole by one set of weights."""

    def __init__(self, where: str) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32).eval()
        self.model.config._name_or_path = where
        self.turn = asyncio.Lock()
        self.running = asyncio.Event()
        self.running.set()
        self.updates = 0

    async def complete(self, request: web.Request) -> web.Response:
        asked = await request.json()
        await self.running.wait()
        async with self.turn:
            ids, logprobs = await asyncio.to_thread(self.sample, asked)
        choice = {"token_ids": ids, "logprobs": {"token_logprobs": logprobs}}
        return web.json_response({"choices": [choice]})

    @torch.inference_mode()
    def sample(self, asked: dict[str, Any]) -> tuple[list[int], list[float]]:
        torch.manual_seed(asked["seed"] % (1 << 62))
        prompt = torch.tensor([asked["prompt"]])
        config = GenerationConfig(
            do_sample=True,
            temperature=asked["temperature"],
            max_new_tokens=asked["max_tokens"],
            eos_token_id=self.model.generation_config.eos_token_id,
            pad_token_id=0,
            output_scores=True,
            return_dict_in_generate=True,
        )
        made = self.model.generate(prompt, attention_mask=torch.ones_like(prompt), generation_config=config)
        ids = made.sequences[0, prompt.size(1) :]
        logprobs = torch.stack(made.scores)[:, 0].log_softmax(-1)
        return ids.tolist(), logprobs.gather(1, ids[:, None])[:, 0].tolist()

    async def take(self, request: web.Request) -> web.Response:
        weights = load(await request.read())
        async with self.turn:
            unknown = self.model.load_state_dict(weights, strict=False).unexpected_keys
        self.updates += 1
        return web.json_response({"unknown": unknown})

    async def pause(self, request: web.Request) -> web.Response:
        self.running.clear()
        return web.json_response({})

    async def resume(self, request: web.Request) -> web.Response:
        self.running.set()
        return web.json_response({})

    async def state(self, request: web.Request) -> web.Response:
        sums = {name: float(weight.double().sum()) for name, weight in self.model.named_parameters()}
        return web.json_response({"sums": sums, "updates": self.updates})


async def health(request: web.Request) -> web.Response:
    return web.Response()


def main(where: str, port: int) -> None:
    torch.set_num_threads(1)
    engine = Engine(where)
    app = web.Application(client_max_size=1 << 30)
    app.add_routes(
        [
            web.get("/health", health),
            web.post("/v1/completions", engine.complete),
            web.post("/pause", engine.pause),
            web.post("/resume", engine.resume),
            web.post("/weights", engine.take),
            web.get("/state", engine.state),
        ]
    )
    web.run_app(app, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
