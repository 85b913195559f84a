"""Attempts of several turns in training: whose tokens are learnt, and the same dialogues as in evaluation and from a server."""

import asyncio
import json
import threading
from dataclasses import replace
from itertools import islice

import pytest

from r1sdk.generation import LocalSource, ServerSource
from r1sdk.generation.source import AnswerRequest
from r1sdk.planning.resolve import plan_run, resolve
from r1sdk.planning.rules import rules
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.key_groups import SessionLimits
from r1sdk.recipe.schema import load_recipe
from r1sdk.rollout.loop import attempt_all
from r1sdk.rollout.sampling import Sampling
from r1sdk.servers import Server
from r1sdk.storage.run_folder import RunFolder

torch = pytest.importorskip("torch")

MAX_TOKENS = 300
ENV = {"name": "guess", "options": {"guesses": 3, "train_size": 4}}


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    """A trainer of `tiny` on the game, greedy, so that its dialogues are the same in every way of generating."""
    from r1sdk.training.models import load_model, load_tokenizer
    from r1sdk.training.trl.grpo import grpo_trainer

    recipe = load_recipe(
        None,
        {
            "model": "tiny",
            "env": ENV,
            "generation": {"samples": 2, "max_tokens": MAX_TOKENS, "top_k": 1},
            "trainer": {"per_device_train_batch_size": 8, "max_steps": 1, "shuffle_dataset": False},
        },
    )
    run = plan_run(recipe, load_plugins())
    kept = []

    def in_turn(rollout):
        kept.append(rollout)
        return float(len(kept))

    run = replace(run, rewards={"in_turn": (in_turn, 1.0)})
    where = str(run.model.folder)
    folder = RunFolder.create(tmp_path_factory.mktemp("runs") / "guess", recipe, {})
    made = grpo_trainer(run, load_model(where), load_tokenizer(where), folder, [])
    made.model.train()
    made.kept, made.folder, made.run = kept, folder, run
    return made


@pytest.fixture(scope="module")
def batch(trainer):
    """What TRL learns from: eight attempts, two at each of four games."""
    return trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))


def own_tokens(batch, at):
    learnt = (batch["completion_mask"][at] * batch["tool_mask"][at]).bool()
    return batch["completion_ids"][at][learnt].tolist()


def test_the_tokens_that_are_learnt_are_those_that_the_model_sampled(trainer, batch):
    learnt = sorted(own_tokens(batch, at) for at in range(8))
    assert learnt == sorted(rollout.completion.token_ids for rollout in trainer.kept) and len(trainer.kept) == 8
    assert any(rollout.session.turns > 1 for rollout in trainer.kept)


def test_what_the_environment_says_is_masked_and_nothing_else(trainer, batch):
    tokenizer = trainer.processing_class
    said = set()
    for ids, whole, own in zip(batch["completion_ids"], batch["completion_mask"], batch["tool_mask"], strict=True):
        masked = tokenizer.decode(ids[(whole * (1 - own)).bool()])
        for turn in masked.split("\n<|im_start|>user\n")[1:]:
            text, end, rest = turn.partition("<|im_end|>\n<|im_start|>assistant\n")
            assert end and not rest
            said.add(text)
    heard = {m["content"] for rollout in trainer.kept for m in rollout.completion.messages if m["role"] == "user"}
    assert said == heard and said


def test_masked_tokens_have_no_part_in_the_loss(trainer, batch):
    """On the policy that has sampled them, each token's loss is minus its advantage; the mean is over the model's own."""
    trainer.current_gradient_accumulation_steps = 1  # set by the loop that calls it
    batch = {
        **batch,
        "advantages": torch.arange(8.0) - 2,
    }  # greedy attempts at one game are the same, and would cancel out
    loss = float(trainer.compute_loss(trainer.model, batch).detach())
    own = batch["completion_mask"] * batch["tool_mask"]
    weighed = -(batch["advantages"][:, None] * own).sum() / own.sum()
    everything = -(batch["advantages"][:, None] * batch["completion_mask"]).sum() / batch["completion_mask"].sum()
    assert loss == pytest.approx(float(weighed), abs=1e-4) and abs(float(everything) - float(weighed)) > 1e-3


def test_the_group_of_a_prompt_has_sessions_of_its_own_and_is_kept_whole(trainer, batch):
    lines = list(trainer.folder.rollouts())
    assert [line["task"]["id"] for line in lines] == [f"train/{at}" for at in range(4) for _ in range(2)]
    for line in lines:
        assert line["session"]["turns"] == sum(m["role"] == "assistant" for m in line["completion"]["messages"])
        assert line["completion"]["tokens"] == len(trainer.kept[lines.index(line)].completion.token_ids)


def messages(rollouts):
    return {rollout.task.id: rollout.completion.messages for rollout in rollouts}


@pytest.fixture(scope="module")
def generator(trainer, batch):
    from r1sdk.rollout.hf_model import HFModel

    return HFModel(trainer.model, trainer.processing_class)


GREEDY = Sampling(samples=1, max_tokens=MAX_TOKENS, temperature=0.0)


def test_evaluation_has_the_dialogues_of_training(trainer, generator):
    tasks = list(trainer.run.environment.tasks("train"))
    found = attempt_all(tasks, trainer.run.environment, generator, GREEDY)
    assert messages(found) == messages(trainer.kept)
    assert [rollout.session.ended for rollout in found] == [rollout.session.ended for rollout in trainer.kept[::2]]


def collected(source, tasks):
    got = {}

    async def emit(answer):
        got[answer.wanted.task.id] = answer

    asyncio.run(source.run([AnswerRequest((at, 0), task) for at, task in enumerate(tasks)], emit))
    return got


def test_generation_has_them_too(trainer, generator):
    environment = trainer.run.environment
    source = LocalSource(generator, GREEDY, environment=environment, limits=SessionLimits())
    got = collected(source, list(environment.tasks("train")))
    assert {name: answer.completion.messages for name, answer in got.items()} == messages(trainer.kept)
    assert all(answer.session.turns > 0 for answer in got.values())


@pytest.fixture
def served(generator):
    """An OpenAI-compatible server on loopback that the very model answers, greedily: the far side of the protocol."""
    web = pytest.importorskip("aiohttp.web")
    loop, ready = asyncio.new_event_loop(), threading.Event()
    port, asked = [], []

    async def complete(request):
        body = await request.json()
        asked.append(body)
        ((reply,),) = generator.generate([body["messages"]], replace(GREEDY, max_tokens=body["max_tokens"]))
        usage = {"prompt_tokens": 1, "completion_tokens": len(reply.token_ids)}
        message = {"role": "assistant", "content": reply.text}
        return web.json_response({"choices": [{"message": message, "finish_reason": reply.finish}], "usage": usage})

    async def serve():
        app = web.Application()
        app.router.add_post("/v1/chat/completions", complete)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.append(runner.addresses[0][1])
        ready.set()
        return runner

    async def run():
        runner = await serve()
        await stop.wait()
        await runner.cleanup()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert ready.wait(30)
    yield Server(f"http://127.0.0.1:{port[0]}/v1", "tiny", timeout_s=300), asked
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def test_a_server_gives_the_same_dialogues(trainer, served):
    from r1sdk.rollout.server_model import ServerModel

    server, asked = served
    environment = trainer.run.environment
    tasks = list(environment.tasks("train"))
    sure = {  # a server counts no tokens of the environment's turns, so the limit falls elsewhere
        name: said for name, said in messages(trainer.kept).items() if _ended(trainer, name) == "done"
    }
    assert sure
    got = collected(ServerSource(server, environment, SessionLimits(), MAX_TOKENS), tasks)
    assert {name: got[name].completion.messages for name in sure} == sure
    assert [message["role"] for message in asked[-1]["messages"]][:2] == ["system", "user"]
    assert all("tools" not in body for body in asked)
    evaluated = messages(attempt_all(tasks, environment, ServerModel(server), GREEDY))
    assert {name: evaluated[name] for name in sure} == sure


def _ended(trainer, name):
    return next(rollout.session.ended for rollout in trainer.kept if rollout.task.id == name)


def test_what_demonstrations_of_several_turns_teach_is_what_is_played(trainer):
    from r1sdk.training.sft.sft_rows import IGNORED, demonstration_rows

    tokenizer = trainer.processing_class
    shown = list(islice(trainer.run.environment.demonstrations("train"), 3))
    for (task, completion), row in zip(shown, demonstration_rows(shown, tokenizer, None), strict=True):
        learnt = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label != IGNORED]
        turns = [m["content"] for m in completion.messages if m["role"] == "assistant"]
        assert tokenizer.decode(learnt) == "".join(turn + tokenizer.eos_token for turn in turns)
        chat = [*task.prompt, *completion.messages]
        assert tokenizer.decode(row["input_ids"]) + "\n" == tokenizer.apply_chat_template(chat, tokenize=False)
    (cut,) = demonstration_rows(shown[:1], tokenizer, 20)
    assert cut is None


@pytest.fixture(scope="module")
def played(run_r1, tmp_path_factory):
    """Two steps of GRPO on the game, evaluated before, during and after."""
    out = tmp_path_factory.mktemp("runs") / "played"
    sets = [
        "env.options.guesses=2",
        "env.options.train_size=16",
        "trainer.per_device_train_batch_size=4",
        "generation.samples=2",
    ]
    sets += ["generation.max_tokens=160", "evaluation.tasks=2", "evaluation.during=1", "trainer.learning_rate=1e-4"]
    flags = [argument for setting in sets for argument in ("--set", setting)]
    said = run_r1(
        "train", "--env", "guess", "--model", "tiny", "--rewards", "accuracy", "--steps", "4", "--out", out, *flags
    )
    assert said.code == 0, said.err + said.out
    return RunFolder(out)


def test_turns_are_in_the_rollouts_the_metrics_and_the_report(played):
    from r1sdk.report.samples import reply_parts, session_summary

    lines = [*played.rollouts(), *played.evaluation_rollouts("before"), *played.evaluation_rollouts("during")]
    assert len(lines) == 16 + 2 + 3 and all(line["session"]["turns"] >= 1 for line in lines)
    several = next(line for line in lines if line["session"]["turns"] == 2)
    assert "environment" in [part.kind for part in reply_parts(several)] and session_summary(several).startswith(
        "2 turns"
    )
    steps = played.metrics()
    assert all(1.0 <= step["sessions/turns"] <= 2.0 and step["sessions/ended_error"] == 0.0 for step in steps)
    page = (played.path / "report.html").read_text(encoding="utf-8")
    assert 'class="environment"' in page and "2 turns" in page


def test_they_are_read_back_and_judged_again_from_what_was_kept(played):
    from r1sdk.scoring.score_rollouts import score
    from r1sdk.storage.rollout_rows import read_groups

    environment = load_plugins().build("environment", "guess", {"guesses": 2})
    rollouts = [rollout for group in read_groups(played.rollouts_file) for rollout in group]
    judged, _ = score(rollouts, environment, {})
    assert [r.verdict.value for r in judged] == [r.verdict.value for r in rollouts]
    assert [r.session.turns for r in rollouts] == [line["session"]["turns"] for line in played.rollouts()]


def test_generate_keeps_dialogues_that_sft_learns_from(played, run_r1, tmp_path):
    from r1sdk.data.demonstrations import FromFile

    out = tmp_path / "kept.jsonl"
    sets = ["env.options.guesses=2", "generation.max_tokens=160"]
    flags = [argument for setting in sets for argument in ("--set", setting)]
    said = run_r1("generate", "tiny", "--env", "guess", "--tasks", 3, "--samples", 2, "--out", out, *flags)
    assert said.code == 0, said.err + said.out
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert any(len(row["completion"]) > 1 for row in rows)
    pairs = list(FromFile(out).train())
    assert [completion.messages for _, completion in pairs] == [
        [{"role": m["role"], "content": m["content"]} for m in row["completion"]] for row in rows
    ]


def test_settings_that_cannot_be_trained_with_are_refused_before_a_model_is_loaded(r1):
    said = r1(
        *("train", "--env", "guess", "--model", "tiny", "--dry-run", "--set", "trainer.max_tool_calling_iterations=3"),
        *("--set", "trainer.use_transformers_continuous_batching=true"),
    )
    assert said.code == 1
    assert "'trainer.max_tool_calling_iterations' is set by r1sdk: use sessions.turns" in said.err
    assert "'trainer.use_transformers_continuous_batching' is not for attempts of several turns" in said.err
    said = r1("train", "--env", "guess", "--model", "tiny", "--dry-run", "--set", "sessions.turn=3")
    assert said.code == 1 and "recipe has no key 'sessions.turn'; did you mean 'turns'?" in said.err


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"launch": {"accelerate": "zero3", "processes": 2}}, "launch.accelerate zero3 shares the model out"),
        ({"launch": {"accelerate": "fsdp2", "processes": 2}}, "launch.accelerate fsdp2 shares the model out"),
        ({"launch": {"accelerate": "ddp", "processes": 2}, "generation": {"backend": "vllm"}}, "use one process"),
        ({"experimental_async": {}}, "experimental_async generates one reply for each attempt"),
    ],
)
def test_what_has_processes_generate_in_step_is_refused_with_the_reason(settings, said):
    plan = resolve(load_recipe(None, {"model": "tiny", "env": ENV, **settings}), load_plugins())
    assert plan.has_sessions
    assert [str(error) for error in rules(plan) if said in str(error)]


@pytest.mark.distributed
def test_two_processes_play_their_own_games_and_train_together(run_r1, tmp_path):
    out = tmp_path / "two"
    sets = [
        "env.options.guesses=2",
        "env.options.train_size=16",
        "trainer.per_device_train_batch_size=4",
        "generation.samples=2",
    ]
    sets += ["generation.max_tokens=160", "evaluation.tasks=4", "trainer.learning_rate=1e-4"]
    flags = [argument for setting in sets for argument in ("--set", setting)]
    said = run_r1(
        *("train", "--env", "guess", "--model", "tiny", "--rewards", "accuracy", "--steps", "3", "--out", out, *flags),
        *("--accelerate", "ddp", "--processes", "2"),
    )
    assert said.code == 0, said.err + said.out
    folder = RunFolder(out)
    lines = list(folder.rollouts())
    assert len(lines) == 3 * 8 and all(line["session"]["turns"] >= 1 for line in lines)
    for step in range(1, 4):
        ids = [line["task"]["id"] for line in lines if line["step"] == step]
        assert len(set(ids)) == 4 and all(ids.count(name) == 2 for name in ids)
    assert len(list(folder.evaluation_rollouts("after"))) == 4


@pytest.mark.slow
def test_the_shipped_recipe_learns_the_game(run_r1, tmp_path):
    """All of `r1 train guess/tiny`, as docs/tools.md reports it: some minutes."""
    import subprocess
    import sys

    out = tmp_path / "guess"
    done = subprocess.run(
        [sys.executable, "-m", "r1_cli", "train", "guess/tiny", "--out", str(out)],
        check=False,
        capture_output=True,
        text=True,
        timeout=7200,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    plan = RunFolder(out / "02-plan")
    before, after = (plan.evaluation(name)["accuracy"] for name in ("before", "after"))
    assert after["mean"] - before["mean"] > 2 * (before["stderr"] ** 2 + after["stderr"] ** 2) ** 0.5
