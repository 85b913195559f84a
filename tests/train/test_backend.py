"""Which engine generates, said with its reason; what cannot be is an error before a model is loaded. No vLLM is needed."""

import importlib.machinery
import importlib.util
import json
import os
import queue
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from r1sdk.errors import R1Error
from r1sdk.launch.slurm import script
from r1sdk.planning import hardware
from r1sdk.planning.backend import choose
from r1sdk.planning.hardware import Gpu, Hardware
from r1sdk.planning.resolve import resolve
from r1sdk.planning.rules import rules
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.key_groups import Generation, VllmSettings
from r1sdk.recipe.schema import Recipe, load_recipe

GPU = Gpu("NVIDIA H100", 80 << 30, "580.1", "GPU-0")


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many GPUs, with or without vLLM: what `nvidia-smi` and the installed packages would say."""

    def be(gpus, vllm):
        there = tuple(Gpu(GPU.name, GPU.memory_bytes, GPU.driver, f"GPU-{n}") for n in range(gpus))
        spec = importlib.machinery.ModuleSpec("vllm", None) if vllm else None
        whole = importlib.util.find_spec
        monkeypatch.setattr(hardware, "gpus", lambda: there)
        monkeypatch.setattr(hardware, "find_spec", lambda name: spec if name == "vllm" else whole(name))

    return be


def recipe(**keys):
    return Recipe.model_validate({"model": "tiny", "env": "countdown", **keys})


def plan(**keys):
    return resolve(recipe(**keys), load_plugins())


def errors(**keys):
    return "\n".join(str(error) for error in rules(plan(**keys)))


@pytest.mark.parametrize(
    ("gpus", "vllm", "name", "why"),
    [
        (1, True, "vllm", "it is installed, and a GPU is here"),
        (0, True, "transformers", "no GPU is here"),
        (1, False, "transformers", "vllm is not installed"),
        (0, False, "transformers", "vllm is not installed"),
    ],
)
def test_auto_takes_vllm_where_it_is_installed_and_a_gpu_is_there_and_says_why(machine, gpus, vllm, name, why):
    machine(gpus, vllm)
    chosen = choose(Generation(), Hardware.here())
    assert chosen.name == name and why in str(chosen)


def test_a_backend_that_is_asked_for_is_taken(machine):
    machine(1, True)
    assert str(choose(Generation(backend="transformers"), Hardware.here())) == "transformers (asked for)"
    machine(0, True)
    assert choose(Generation(backend="vllm"), Hardware.here()).name == "vllm"


def test_sft_has_no_use_for_it(machine):
    machine(1, True)
    assert plan(method="sft", generation={"backend": "vllm"}).backend.name == "transformers"


def test_a_url_is_reason_enough_for_auto_and_says_the_mode(machine):
    machine(0, True)
    given = plan(generation={"vllm": {"url": "http://node:8000"}})
    assert given.recipe.generation.vllm.mode == "server"
    assert given.backend.name == "vllm"


@pytest.mark.parametrize("command", ["train", "eval", "generate"])
def test_a_backend_that_is_not_there_is_an_error_before_a_model_is_loaded(r1, machine, tmp_path, command):
    machine(0, False)
    more = ["--dry-run"] if command == "train" else [] if command == "generate" else ["--out", tmp_path]
    said = r1(command, *([] if command == "train" else ["tiny"]), "--env", "countdown", "--backend", "vllm", *more)
    assert said.code == 1
    assert "vllm, which is not installed: pip install 'r1sdk[vllm]'" in said.err
    assert "docs/vllm.md" in said.err


def test_an_unknown_backend_names_those_there_are(r1):
    said = r1("train", "--env", "countdown", "--backend", "vlm", "--dry-run")
    assert said.code == 1
    assert "'generation.backend': input should be 'auto', 'transformers' or 'vllm', got 'vlm'" in said.err


def test_a_mistyped_option_of_vllm_gets_the_nearest(r1):
    said = r1("train", "--env", "countdown", "--set", "generation.vllm.max_len=64", "--dry-run")
    assert said.code == 1
    assert "recipe has no key 'generation.vllm.max_len'; did you mean 'max_model_len'?" in said.err


@pytest.mark.parametrize(
    ("vllm", "said"),
    [
        ({"mode": "colocate", "url": "http://node:8000"}, "'generation.vllm.url' is of a server"),
        ({"url": "node:8000"}, "'generation.vllm.url' must be as http://localhost:8000, got 'node:8000'"),
        ({"url": "http://node:8000", "tensor_parallel_size": 2}, "its sizes are given where it is started"),
        ({"data_parallel_size": 2}, "in mode colocate each process that trains generates for itself"),
        ({"tensor_parallel_size": 2}, "it must divide the 1 processes that train"),
        ({"serve": {"max-num-seqs": 4}}, "'generation.vllm.serve' is for mode server"),
    ],
)
def test_settings_that_contradict_each_other_are_named(machine, vllm, said):
    machine(0, True)
    assert said in errors(generation={"backend": "vllm", "vllm": vllm}, launch={"processes": 1})


def test_the_watch_on_the_sampler_cannot_be_taken_away_by_accident(machine):
    machine(0, True)
    trainer = {"vllm_importance_sampling_correction": False}
    assert "a sampler is watched by what it computes" in errors(generation={"backend": "vllm"}, trainer=trainer)
    assert "watched" not in errors(generation={"backend": "transformers"}, trainer=trainer)


@pytest.mark.parametrize(
    ("key", "use"),
    [("vllm_mode", "generation.vllm.mode"), ("vllm_tensor_parallel_size", "generation.vllm.tensor_parallel_size")],
)
def test_what_r1sdk_sets_of_trl_is_refused_with_the_name_to_use(key, use):
    assert f"'trainer.{key}' is set by r1sdk: use {use}" in errors(trainer={key: 2})


def test_the_gpus_of_a_server_are_not_trained_on(machine):
    machine(8, True)
    vllm = {"mode": "server", "tensor_parallel_size": 2}
    ddp, transformers = {"accelerate": "ddp"}, {"backend": "transformers", "vllm": vllm}
    assert plan(generation={"vllm": vllm}, launch=ddp).recipe.launch.processes == 6
    assert plan(launch=ddp).recipe.launch.processes == 8
    assert plan(generation=transformers, launch=ddp).recipe.launch.processes == 8
    assert "needs 10 GPUs, and this machine has 8" in errors(
        generation={"vllm": vllm}, launch={"accelerate": "ddp", "processes": 8}
    )


def test_a_server_gets_gpus_that_a_single_process_does_not_see(machine, monkeypatch):
    from r1sdk.launch import local_launch as local

    machine(4, True)
    given = plan(generation={"vllm": {"mode": "server", "tensor_parallel_size": 2}})
    told = local._one_gpu(given)
    assert told == {"CUDA_VISIBLE_DEVICES": "GPU-0", "R1_VLLM_GPUS": "GPU-1,GPU-2"}
    # There it plans the run anew, and the server's GPUs count though it does not see them.
    machine(1, True)
    monkeypatch.setenv("R1_VLLM_GPUS", told["R1_VLLM_GPUS"])
    assert "GPUs" not in "\n".join(map(str, rules(resolve(given.recipe, load_plugins()))))


def test_the_recipe_of_a_run_reads_back_with_its_server(tmp_path):
    before = recipe(generation={"vllm": {"url": "http://node:8000"}}, limits={"sampler_difference": None})
    (tmp_path / "recipe.yaml").write_text(before.to_yaml())
    assert load_recipe(tmp_path / "recipe.yaml") == before


def test_a_server_is_given_what_training_needs_of_it():
    from r1sdk.training.vllm.serve_node import arguments

    vllm = {"mode": "server", "tensor_parallel_size": 2, "data_parallel_size": 4, "max_model_len": 4096}
    given = recipe(generation={"vllm": {**vllm, "serve": {"max-num-seqs": 64, "enable-expert-parallel": True}}})
    line = " ".join(arguments(given, "Qwen/Qwen2.5-1.5B", "0.0.0.0", 8000, cuda=True))
    for part in (
        "--model Qwen/Qwen2.5-1.5B --host 0.0.0.0 --port 8000",
        "--tensor-parallel-size 2 --data-parallel-size 4",
        "--logprobs-mode processed_logprobs --max-logprobs -1",
        "--max-model-len 4096 --gpu-memory-utilization 0.9",
        '--weight-transfer-config {"backend": "nccl"}',
        "--max-num-seqs 64 --enable-expert-parallel",
    ):
        assert part in line, line
    assert (
        "--worker-extension-cls r1sdk.receipts.served.ReceiptWorker" in line
    )  # on a CPU another one, which has it too


def test_a_server_that_ends_before_it_is_ready_is_told_with_the_end_of_its_log(tmp_path):
    import sys

    from r1sdk.training.vllm.run_server import VllmServer

    log = tmp_path / "vllm.log"
    with log.open("wb") as output:
        program = [sys.executable, "-c", "import sys; sys.exit('no memory for the KV cache')"]
        process = subprocess.Popen(program, stderr=output, start_new_session=True)
    server = VllmServer("http://127.0.0.1:9", VllmSettings(mode="server"), log, process)
    with pytest.raises(R1Error, match="ended with status 1 before it was ready") as raised:
        server.wait()
    assert "no memory for the KV cache" in str(raised.value)
    server.stop()


def test_a_server_that_is_slow_to_come_up_is_waited_for_so_long_and_ended(tmp_path):
    from r1sdk.training.vllm.run_server import VllmServer

    log = tmp_path / "vllm.log"
    with log.open("wb") as output:
        process = subprocess.Popen(["sleep", "600"], stderr=output, start_new_session=True)
    server = VllmServer("http://127.0.0.1:9", VllmSettings(mode="server", start_timeout_s=0.2), log, process)
    with pytest.raises(R1Error, match=r"did not answer within 0.2 s \(generation.vllm.start_timeout_s\)"):
        server.wait()
    server.stop()
    assert process.returncode is not None


def job(tmp_path, **launch):
    vllm = {"mode": "server", "tensor_parallel_size": 4, "data_parallel_size": 4}
    launch = {"accelerate": "zero3", "processes": 8, "launcher": "slurm", **launch}
    given = recipe(generation={"backend": "vllm", "vllm": vllm}, launch=launch)
    (tmp_path / "run").mkdir(exist_ok=True)
    return given, script(given, tmp_path / "run")


def test_a_job_holds_machines_for_the_server_beside_those_that_train(machine, tmp_path):
    machine(0, True)
    given, text = job(tmp_path, nodes=2, vllm_nodes=2)
    assert not [error for error in rules(resolve(given, load_plugins())) if "vllm" in str(error)]
    assert "#SBATCH --nodes=4" in text
    assert "--gpus 8" in text  # four copies on two machines, four GPUs each


@pytest.mark.parametrize("nodes", [{"nodes": 1}, {"nodes": 2, "vllm_nodes": 2}])
def test_the_script_of_a_job_is_good_bash(tmp_path, nodes):
    _, text = job(tmp_path, **nodes)
    assert "{{" not in text
    checked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr


SLURM = """#!/usr/bin/env bash
if [ "${0##*/}" = scontrol ]; then printf '%s\\n' node1 node2 node3 node4; exit; fi
printf '%s\\n' "${R1_VLLM_URL:-} $*" >>"$CALLS"
case $* in *training.processes*) # a training waits for its server
    [ -z "${R1_VLLM_URL:-}" ] || until grep -q serve_node "$CALLS"; do sleep 0.05; done ;;
esac
"""


@pytest.mark.parametrize("serving", [0, 2])
def test_each_machine_of_a_job_is_started_with_its_part(tmp_path, serving):
    """Slurm is played by a script that writes down how it is called: with machines of its own, this was not run."""
    _, text = job(tmp_path, nodes=4 - serving, vllm_nodes=serving)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("srun", "scontrol"):
        (tools / name).write_text(SLURM)
        (tools / name).chmod(0o755)
    (tmp_path / "job").write_text(text)
    calls = tmp_path / "calls"
    own = {"CALLS": str(calls), "SLURM_JOB_NODELIST": "node[1-4]", "SLURM_JOB_ID": "7"}
    path = os.pathsep.join([str(tools), os.environ["PATH"]])
    done = subprocess.run(["bash", tmp_path / "job"], env={**os.environ, **own, "PATH": path}, check=False, timeout=60)
    assert done.returncode == 0
    lines = calls.read_text().splitlines()
    health = [line for line in lines if "r1sdk.launch.node_health" in line]
    training = [line for line in lines if "r1sdk.training.processes" in line]
    servers = [line for line in lines if "r1sdk.training.vllm.serve_node" in line]
    assert len(training) == 1 and len(servers) == bool(serving) and len(health) == 1 + bool(serving)
    if not serving:
        assert "--nodelist" not in training[0]
        return
    assert "--nodes=2 --ntasks=2 --nodelist=node1,node2" in training[0]
    assert "--nodes=2 --ntasks=2 --nodelist=node3,node4" in servers[0]
    assert training[0].startswith("http://node3:40007 ")
    assert servers[0].endswith(" 40007 2 node3")


@pytest.mark.parametrize(
    ("launch", "vllm", "said"),
    [
        ({"launcher": "local"}, {"mode": "server"}, "'launch.vllm_nodes' is for launcher slurm"),
        ({}, {"mode": "colocate"}, "'launch.vllm_nodes' needs generation.vllm.mode=server"),
        ({"vllm_nodes": 2}, {"mode": "server", "data_parallel_size": 3}, "must be a multiple of launch.vllm_nodes"),
        ({}, {"url": "http://node:8000"}, "starts a server, and generation.vllm.url names one"),
    ],
)
def test_machines_for_a_server_that_cannot_be_used_are_refused(machine, launch, vllm, said):
    machine(0, True)
    launch = {"accelerate": "ddp", "processes": 8, "launcher": "slurm", "vllm_nodes": 1, **launch}
    assert said in errors(generation={"backend": "vllm", "vllm": vllm}, launch=launch)


def test_a_part_of_a_server_knows_its_copies_of_the_model():
    from r1sdk.training.vllm.serve_node import ServerNode

    settings = VllmSettings(mode="server", data_parallel_size=4)
    assert ServerNode().arguments(settings, 8000) == []
    shared = "--data-parallel-size-local 2 --data-parallel-address a --data-parallel-rpc-port 8001"
    assert " ".join(ServerNode(0, 2, "a").arguments(settings, 8000)) == shared
    assert (
        " ".join(ServerNode(1, 2, "a").arguments(settings, 8000)) == f"{shared} --headless --data-parallel-start-rank 2"
    )


def test_a_server_that_no_longer_answers_is_noticed_wherever_the_trainer_waits(tmp_path):
    from r1sdk.training.vllm.run_server import VllmServer

    told = queue.Queue()
    server = VllmServer("http://127.0.0.1:9", VllmSettings(mode="server", lost_after_s=1), tmp_path / "vllm.log", None)
    server.watch(told.put)
    reason = told.get(timeout=60)
    assert "http://127.0.0.1:9 failed: it has not answered for 1 s" in reason
    assert "--resume continues from the last checkpoint" in reason
    server.stop()


@pytest.fixture
def said_by_a_server():
    """A server that plays vLLM's /server_info, where the real one would have to be started wrongly on a GPU: its URL."""
    running = []

    def start(config):
        class Reply(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(404 if config is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps({"vllm_config": config}).encode())

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Reply)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


RIGHT = {"model_config": {"logprobs_mode": "processed_logprobs"}, "weight_transfer_config": {"backend": "nccl"}}


@pytest.mark.parametrize(
    ("config", "todo"),
    [
        (None, "start it with VLLM_SERVER_DEV_MODE=1"),
        ({**RIGHT, "model_config": {"logprobs_mode": "raw_logprobs"}}, "--logprobs-mode processed_logprobs"),
        ({**RIGHT, "weight_transfer_config": None}, """--weight-transfer-config '{"backend": "nccl"}'"""),
        ({}, "does not report its settings"),
    ],
)
def test_a_server_that_cannot_be_trained_with_is_refused_with_the_option_to_start_it_with(
    said_by_a_server, tmp_path, config, todo
):
    from r1sdk.training.vllm.run_server import VllmServer

    server = VllmServer(said_by_a_server(config), VllmSettings(mode="server"), tmp_path / "vllm.log", None)
    with pytest.raises(R1Error) as raised:
        server.check(cuda=True)
    assert todo in str(raised.value)


def test_a_server_that_is_set_right_is_taken(said_by_a_server, tmp_path):
    from r1sdk.training.vllm.run_server import VllmServer

    VllmServer(said_by_a_server(RIGHT), VllmSettings(mode="server"), tmp_path / "vllm.log", None).check(cuda=True)
