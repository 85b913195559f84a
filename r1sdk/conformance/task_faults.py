"""Find the faults of one task."""

import json
from typing import Any

from ..records import Task


def faults_of(task: Any) -> list[str]:
    """Return the faults of a task's prompt, answer and info."""
    if not isinstance(task, Task):
        return [f"must be an r1sdk.Task, got {type(task).__name__}"]
    faults = []
    if not task.prompt or not all({"role", "content"} <= set(message) for message in task.prompt):
        faults.append(f"its prompt must be a list of messages with role and content, got {task.prompt!r:.80}")
    if task.answer is not None and not isinstance(task.answer, str):
        faults.append(f"its answer must be a text or None, got {task.answer!r:.40}")
    try:
        read = json.loads(json.dumps(dict(task.info)))
    except (TypeError, ValueError) as error:
        faults.append(f"its info is not JSON: {error}")
    else:
        if read != task.info:
            faults.append(f"its info comes back from JSON as {read!r:.80}: use lists and texts instead of tuples")
    return faults
