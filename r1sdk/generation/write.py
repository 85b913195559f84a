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


def write_rows(work: WorkFolder, collected: Collected) -> None:
    """Write `collected.plan.out`. Raises: R1Error."""
    out = collected.plan.out
    rows = _rows(work, collected)
    with replacing(out) as file:
        if out.suffix == ".parquet":
            _write_parquet(file, rows, list(work.plan.rewards))
        else:
            file.writelines(map(jsonl.dump, rows))


def _rows(work: WorkFolder, collected: Collected) -> Iterator[dict[str, Any]]:
    """Yield rows with `prompt` and `completion`, as TRL and `r1 train --data` read them, then facts about the answer."""
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


def _write_parquet(file: IO[bytes], rows: Iterator[dict[str, Any]], rewards: list[str]) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise R1Error("writing parquet needs pyarrow: pip install 'r1sdk[train]', or write .jsonl") from None
    messages = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    reward_type = pa.struct([(name, pa.float64()) for name in rewards]) if rewards else pa.string()
    schema = pa.schema(
        [
            ("prompt", messages),
            ("completion", messages),
            ("answer", pa.string()),
            ("id", pa.string()),
            ("info", pa.string()),  # as JSON, since each environment has its own keys
            ("sample", pa.int32()),
            ("correct", pa.float64()),
            ("rewards", reward_type),
            ("total", pa.float64()),
            ("tokens", pa.int64()),
            ("finish", pa.string()),
            ("model", pa.string()),
        ]
    )

    def plain(row: dict[str, Any]) -> dict[str, Any]:
        return {
            **row,
            "prompt": [_plain(message) for message in row["prompt"]],
            "completion": [_plain(message) for message in row["completion"]],
            "info": json.dumps(row["info"], ensure_ascii=False),
            "rewards": row["rewards"] or None,
        }

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
