"""Write the kept answers to a file to train on: JSON lines or parquet. The file appears only when it is complete."""

import json
from collections.abc import Iterator
from typing import IO, Any

from ..errors import R1Error
from ..storage import jsonl
from ..storage.atomic import replacing
from .collected import Collected
from .work import WorkFolder

ROWS_TOGETHER = 1000
_MESSAGES = ("prompt", "completion", "chosen", "rejected")


def write_rows(work: WorkFolder, collected: Collected) -> None:
    """Write `collected.plan.out`. Raises: R1Error."""
    out = collected.plan.out
    rows = _rows(work, collected)
    with replacing(out) as file:
        if out.suffix == ".parquet":
            _write_parquet(file, rows, _schema(list(work.plan.rewards), collected.plan.keep.pairs))
        else:
            file.writelines(map(jsonl.dump, rows))


def _rows(work: WorkFolder, collected: Collected) -> Iterator[dict[str, Any]]:
    """Yield rows with `prompt` and `completion`, as TRL and `r1 train --data` read them, then facts about the answer."""
    if collected.plan.keep.pairs:
        yield from _pairs(work, collected)
        return
    for candidate in collected.chosen.kept:
        key = (candidate.place, candidate.sample)
        rollout, score = work.rollout(key), collected.scores[key]
        yield {
            "prompt": rollout.task.prompt,
            "completion": rollout.completion.messages,
            "answer": rollout.task.answer,
            "id": rollout.task.id,
            "info": dict(rollout.task.info),
            "sample": candidate.sample,
            "correct": candidate.value,
            "rewards": dict(score.rewards),
            "total": score.total,
            "tokens": len(rollout.completion.token_ids),
            "finish": rollout.completion.finish,
            "model": collected.plan.model,
        }


def _pairs(work: WorkFolder, collected: Collected) -> Iterator[dict[str, Any]]:
    """Yield rows with `prompt`, `chosen` and `rejected`, as TRL's DPOTrainer and `r1 train --method dpo` read them."""
    kept = collected.chosen.kept
    for right, wrong in zip(kept[::2], kept[1::2], strict=True):
        better, worse = (work.rollout((one.place, one.sample)) for one in (right, wrong))
        yield {
            "prompt": better.task.prompt,
            "chosen": better.completion.messages,
            "rejected": worse.completion.messages,
            "answer": better.task.answer,
            "id": better.task.id,
            "info": dict(better.task.info),
            "samples": [right.sample, wrong.sample],
            "totals": [right.total, wrong.total],
            "tokens": [right.tokens, wrong.tokens],
            "model": collected.plan.model,
        }


def _schema(rewards: list[str], pairs: bool) -> Any:
    """Return the columns of a parquet file. Raises: R1Error without pyarrow."""
    try:
        import pyarrow as pa
    except ImportError:
        raise R1Error("writing parquet needs pyarrow: pip install 'r1sdk[train]', or write .jsonl") from None
    messages = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    task = [("answer", pa.string()), ("id", pa.string()), ("info", pa.string())]  # info as JSON: its keys differ
    if pairs:
        both = [("samples", pa.list_(pa.int32())), ("totals", pa.list_(pa.float64())), ("tokens", pa.list_(pa.int64()))]
        replies = [("prompt", messages), ("chosen", messages), ("rejected", messages)]
        return pa.schema([*replies, *task, *both, ("model", pa.string())])
    reward_type = pa.struct([(name, pa.float64()) for name in rewards]) if rewards else pa.string()
    return pa.schema(
        [
            ("prompt", messages),
            ("completion", messages),
            *task,
            ("sample", pa.int32()),
            ("correct", pa.float64()),
            ("rewards", reward_type),
            ("total", pa.float64()),
            ("tokens", pa.int64()),
            ("finish", pa.string()),
            ("model", pa.string()),
        ]
    )


def _write_parquet(file: IO[bytes], rows: Iterator[dict[str, Any]], schema: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def plain(row: dict[str, Any]) -> dict[str, Any]:
        said = {name: [_plain(message) for message in row[name]] for name in _MESSAGES if name in row}
        rewards = {"rewards": row["rewards"] or None} if "rewards" in row else {}
        return {**row, **said, **rewards, "info": json.dumps(row["info"], ensure_ascii=False)}

    with pq.ParquetWriter(file, schema) as writer:
        batch: list[dict[str, Any]] = []
        for row in rows:
            batch.append(plain(row))
            if len(batch) == ROWS_TOGETHER:
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                batch = []
        if batch:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))


def _plain(message: dict[str, Any]) -> dict[str, str]:
    content = message.get("content")
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return {"role": str(message["role"]), "content": text.encode("utf-8", "replace").decode()}
