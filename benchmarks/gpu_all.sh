#!/usr/bin/env bash
# Everything that needs a GPU, in one run of under 12 minutes on one GPU, with one JSON file as its result:
#
#     benchmarks/gpu_all.sh --out gpu.json           # on a machine with a GPU, in an environment with '.[train,vllm,test]'
#     benchmarks/gpu_all.sh --toy --out toy.json     # on a CPU, with toy shapes (docs/vllm.md, "On a CPU"): that it runs, no result
#
# Parts: the unit checks of the GPU paths, GRPO with vLLM in the same process and on a server, both with weight receipts, and a
# step with the shapes of 0.5B and 1.5B models against TRL and against the GPU's limit. Each part has a time limit, a part that
# fails does not stop the others, and the file is written after each. Exit status 1 if a part failed or was left out.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

toy=0 out=gpu_all.json parts=(unit colocate server step-0.5b step-1.5b)
while (($#)); do
    case $1 in
        --toy) toy=1; shift ;;
        --out) out=${2:?--out needs a file}; shift 2 ;;
        --only) IFS=, read -ra parts <<<"${2:?--only needs parts}"; shift 2 ;;
        -h | --help) sed -n '2,9p' "${BASH_SOURCE[0]}"; exit 0 ;;
        *) echo "unknown option $1" >&2; exit 2 ;;
    esac
done
[[ $out = /* ]] || out=$PWD/$out

work=$(mktemp -d)
stop_server() {
    [[ ! -f $work/server.pid ]] || kill "$(cat "$work/server.pid")" 2>/dev/null
    rm -f "$work/server.pid"
}
trap 'stop_server; rm -rf "$work"' EXIT
: >"$work/parts.jsonl"
export PYTHONPATH=$PWD/benchmarks TOKENIZERS_PARALLELISM=false VLLM_NO_USAGE_STATS=1 HF_HUB_OFFLINE=1
slack=$((toy ? 3 : 1)) # a CPU, which may be shared, is given more time
seconds_left() { echo $((705 * slack - SECONDS)); }

# part NAME LIMIT_S COMMAND...: run it, and add a line on how it ended. $work/figures.json, if the command writes it, is its result.
part() {
    local name=$1 limit=$2 left started=$SECONDS rc
    shift 2
    limit=$((limit * slack))
    left=$(seconds_left)
    ((limit < left)) || limit=$left
    rm -f "$work/figures.json"
    if ((limit < 10)); then
        echo "$name: left out, no time is left" >&2
        python benchmarks/gpu_record.py part "$work" "$name" 124 0 /dev/null
        return
    fi
    echo "== $name (at most $limit s)" >&2
    timeout --kill-after=10 "$limit" "$@" >"$work/log" 2>&1
    rc=$?
    ((rc == 0)) || tail -n 30 "$work/log" >&2
    python benchmarks/gpu_record.py part "$work" "$name" "$rc" $((SECONDS - started)) "$work/log"
    python benchmarks/gpu_record.py result "$work" "$out" $toy $SECONDS
}

# A GRPO run with vLLM, with what its metrics say of the sampler.
run_vllm() {
    local folder=$1
    shift
    r1 train --env countdown --model "$model" --backend vllm --rewards accuracy,format --out "$folder" \
        --steps 4 --set evaluation.tasks=0 --set evaluation.during=0 --set trainer.per_device_train_batch_size=8 \
        --set generation.samples=4 --set generation.max_tokens=64 "$@" &&
        python benchmarks/gpu_record.py run "$work" "$folder"
}

# One GPU cannot be a rank of NCCL twice. With two, weights go over NCCL; with one, the trainer is on the CPU and sends a file.
serve_vllm() {
    local folder=$work/server port
    if [[ $(python -c 'import torch; print(torch.cuda.device_count())') -ge 2 ]]; then
        run_vllm "$folder" --vllm-mode server --set generation.vllm.max_model_len=512
        return
    fi
    local model=tiny # trained on the CPU
    port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    r1 train --env countdown --model "$model" --backend vllm --out "$work/prepared" --launcher none --vllm-url "http://127.0.0.1:$port" \
        --rewards accuracy,format || return
    python -m r1sdk.training.vllm.serve_node "$work/prepared" --port "$port" --dtype float32 --enforce-eager --max-model-len 512 \
        --gpu-memory-utilization 0.3 --worker-extension-cls r1sdk.rollout.vllm_cpu_engine.WeightReload >"$work/vllm.log" 2>&1 &
    echo $! >"$work/server.pid"
    CUDA_VISIBLE_DEVICES= run_vllm "$folder" --vllm-url "http://127.0.0.1:$port" || { tail -n 30 "$work/vllm.log"; return 1; }
}
export -f run_vllm serve_vllm
export work model

wanted() { [[ " ${parts[*]} " == *" $1 "* ]]; }
if ((toy)); then
    model=tiny shapes=("toy --prompts 2 --max-tokens 8 --steps 2 --rounds 1" "toy --prompts 2 --max-tokens 8 --steps 2 --rounds 1")
else
    model=$work/model shapes=("0.5b --prompts 8 --max-tokens 192 --steps 3 --rounds 1" "1.5b --prompts 4 --max-tokens 192 --steps 3 --rounds 1")
    python -c "import torch; raise SystemExit(not torch.cuda.is_available())" || { echo "no GPU is here: --toy runs on a CPU" >&2; exit 1; }
    python -c "from pathlib import Path; from gpu_step import make_model; make_model('0.5b', Path('$model'))" || exit 1
fi

wanted unit && part unit 120 python -m pytest -q -m gpu tests/train/test_gpu_paths.py -p no:cacheprovider
wanted colocate && part colocate 150 bash -c 'run_vllm "$work/colocate" --set generation.vllm.max_model_len=512'
wanted server && part server 180 bash -c serve_vllm
stop_server
wanted step-0.5b && part step-0.5b 130 python benchmarks/gpu_step.py --shape ${shapes[0]} --json "$work/figures.json"
wanted step-1.5b && part step-1.5b 150 python benchmarks/gpu_step.py --shape ${shapes[1]} --json "$work/figures.json"
python benchmarks/gpu_record.py result "$work" "$out" $toy $SECONDS
python benchmarks/gpu_record.py status "$out"
