"""Choose the program among several blocks of a reply: the last one that compiles, does something, and defines the called name."""

import json
from collections.abc import Sequence

import r1sdk

from .code_block import Block

# Runs inside the sandbox, because to compile hostile text may take any time; it runs none of it.
_LOOK = """
import ast, builtins, json, sys
def look(code):
    try:
        tree = ast.parse(code)
        compile(tree, "block", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {"compiles": False}
    idle = (ast.Pass, ast.Import, ast.ImportFrom)
    def does(node):
        if isinstance(node, ast.Expr):
            return not isinstance(node.value, (ast.Constant, ast.Name, ast.Tuple, ast.List, ast.Set, ast.BinOp, ast.Compare, ast.UnaryOp))
        return not isinstance(node, idle) and not (isinstance(node, ast.AnnAssign) and node.value is None)
    defined, members = set(), set()
    loads, stores, stars = set(), set(), False
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            defined.add(node.name)
        if isinstance(node, ast.ClassDef) and node.name == "Solution":
            members |= {inner.name for inner in node.body if isinstance(inner, ast.FunctionDef)}
        if isinstance(node, ast.Assign):
            defined |= {inner.id for target in node.targets for inner in ast.walk(target) if isinstance(inner, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (loads if isinstance(node.ctx, ast.Load) else stores).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            stores.add(node.name)
        elif isinstance(node, ast.arg):
            stores.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            stores.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            stars = stars or any(one.name == "*" for one in node.names)
            stores |= {(one.asname or one.name).partition(".")[0] for one in node.names}
    wanted = set() if stars else {name for name in loads - stores if not hasattr(builtins, name)}
    return {"compiles": True, "does": any(map(does, tree.body)), "defines": sorted(defined | members), "wants": sorted(wanted)}
print(json.dumps([look(code) for code in json.loads(sys.stdin.buffer.read())]))
"""


async def choose_block(
    blocks: Sequence[Block], called: Sequence[str], language: str, sandbox: r1sdk.Sandbox, limits: r1sdk.ExecutionLimits
) -> Block:
    """Return the block that is the program. `called`: names that the tests call. Raises: Unavailable."""
    if len(blocks) == 1 or language not in ("python", "cpp", "c", "rust", "java", "go"):
        return blocks[-1]
    if language != "python":
        return next((block for block in reversed(blocks) if "main" in block.code), blocks[-1])
    (done,) = await sandbox.run(_LOOK, [json.dumps([block.code for block in blocks])], limits=limits)
    seen = _read(done, len(blocks))
    return blocks[_choice(seen, called)]


def _read(done: r1sdk.Execution, count: int) -> list[dict[str, object]]:
    try:
        seen = json.loads(done.stdout) if done.status == "ok" else None
    except ValueError:
        seen = None
    return seen if isinstance(seen, list) and len(seen) == count else [{} for _ in range(count)]


def _choice(seen: Sequence[dict[str, object]], called: Sequence[str]) -> int:
    good = [at for at, one in enumerate(seen) if one.get("compiles")]
    if not good:
        return len(seen) - 1

    def names(at: int, what: str) -> set[str]:
        found = seen[at].get(what)
        return set(map(str, found)) if isinstance(found, list) else set()

    defining = [(len(names(at, "defines") & set(called)), at) for at in good]
    if called and max(defining)[0]:
        return max(defining)[1]
    doing = [at for at in good if seen[at].get("does")]
    earlier: set[str] = set()
    alone = []
    for at in doing:
        if not names(at, "wants") & earlier:
            alone.append(at)
        earlier |= names(at, "defines")
    return (alone or doing or good)[-1]
