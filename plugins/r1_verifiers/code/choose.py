"""Choose the program among several blocks of a reply: the last one that can by itself be an answer to this kind of task.

A function task: it defines what the tests call, with a body that does something. A task of input and output: it runs something that
prints, and reads the input where there is some; one that prints a text as it stands is a guess, and counts too. A block that needs a name
which only an earlier block binds is a part or a use of that block. No test is run to choose, so several candidates gain nothing.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import r1sdk

from .code_block import Block
from .imports import NUMPY
from .tests import Tests

# Runs inside the sandbox, because to compile hostile text may take any time; it runs none of it.
_LOOK = """
import ast, builtins, importlib, json, sys
READS = {"input", "raw_input", "open", "stdin", "fileinput", "mmap", "read", "readline", "readlines", "exec"}
PRINTS = {"print", "pprint", "stdout", "write", "writelines", "exec"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LIBRARIES = {"numpy", "scipy", "pandas", "sympy", "networkx", "sortedcontainers", "numba"}
def does(node):
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, (ast.Constant, ast.Name, ast.Tuple, ast.List, ast.Set, ast.BinOp, ast.Compare, ast.UnaryOp))
    return not isinstance(node, (ast.Pass, ast.Import, ast.ImportFrom)) and not (isinstance(node, ast.AnnAssign) and node.value is None)
def is_stub(node):
    if isinstance(node, ast.ClassDef):
        members = [inner for inner in node.body if isinstance(inner, FUNCTIONS)]
        return all(map(is_stub, members)) if members else not node.bases and all(map(is_idle, node.body))
    return all(map(is_idle, node.body))
def is_idle(node):
    if isinstance(node, ast.Raise):
        return any(isinstance(inner, ast.Name) and inner.id == "NotImplementedError" for inner in ast.walk(node))
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
def is_method(node):
    first = (node.args.posonlyargs + node.args.args)[:1]
    return bool(first) and first[0].arg == "self"
def defined(tree):
    found = set()
    for node in tree.body:
        if isinstance(node, FUNCTIONS) and not is_stub(node) and not is_method(node):
            found.add(node.name)
        if isinstance(node, ast.ClassDef) and not is_stub(node):
            found.add(node.name)
            if node.name == "Solution":
                found |= {inner.name for inner in node.body if isinstance(inner, FUNCTIONS) and not is_stub(inner)}
        if isinstance(node, ast.Assign):
            found |= {inner.id for target in node.targets for inner in ast.walk(target) if isinstance(inner, ast.Name)}
    return found
def bound(tree):
    found, stars, changed = set(), [], {id(node.target) for node in ast.walk(tree) if isinstance(node, ast.AugAssign)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) and id(node) not in changed:
            found.add(node.id)
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            stars += [node.module or "" for one in node.names if one.name == "*"]
            found |= {(one.asname or one.name).partition(".")[0] for one in node.names if one.name != "*"}
    return found, stars
def used(tree):
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return found | {node.target.id for node in ast.walk(tree) if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)}
def mentioned(tree):
    found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {one.name for one in node.names} | {getattr(node, "module", None) or ""}
    return found
def calls(node):
    if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
        return False
    return isinstance(node, ast.Call) or any(map(calls, ast.iter_child_nodes(node)))
def foreign(tree):
    modules = {(node.module or "").partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {one.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    return not modules <= LIBRARIES | sys.stdlib_module_names
def given(texts):
    found = set(dir(builtins)) | {"__file__", "__builtins__"}
    for text in texts:
        try:
            names, stars = bound(ast.parse(text))
            found = found.union(names, *(dir(importlib.import_module(module)) for module in stars))
        except (SyntaxError, ImportError):
            pass
    return found
def look(code, known):
    try:
        tree = ast.parse(code)
        compile(tree, "block", "exec", dont_inherit=True)
        names, stars = bound(tree)
        loads = used(tree)
        words = loads | mentioned(tree)
        return {
            "compiles": True, "does": any(map(does, tree.body)), "runs": any(map(calls, tree.body)),
            "reads": bool(words & READS), "prints": bool(words & PRINTS), "is_fixed": loads <= {"print", "sys"},
            "is_foreign": foreign(tree), "defines": sorted(defined(tree)), "binds": sorted(names),
            "wants": [] if stars else sorted(loads - names - known),
        }
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
asked = json.loads(sys.stdin.buffer.read())
known = given(asked["before"])
print(json.dumps([look(code, known) for code in asked["codes"]]))
"""
_APART = re.compile(  # comments, texts and characters of languages like C
    r"//[^\n]*|/\*[\s\S]*?(?:\*/|\Z)|\"(?:\\.|[^\"\\\n])*+\"?|'(?:\\.|[^'\\\n])'"
)
_HAVE_MAIN = ("c", "cpp", "rust", "java", "go")
_MAIN = re.compile(r"\bmain\s*\(")
_READS = re.compile(r"\breadFileSync\b|\bstdin\b|\breadline\b|\bprompt\s*\(")
_PRINTS = re.compile(r"\bconsole\s*\.|\bstdout\b|\bwriteSync\b|\bprint\s*\(")


async def choose_block(
    blocks: Sequence[Block], tests: Tests, sandbox: r1sdk.Sandbox, limits: r1sdk.ExecutionLimits
) -> Block:
    """Return the block that is the program. Raises: Unavailable."""
    has_input = any(case.stdin.strip() for case in tests.cases)
    if len(blocks) == 1:
        return blocks[0]
    if tests.language != "python":
        return blocks[_last_best(_ranks_by_text(blocks, tests.language, has_input))]
    before = [*tests.before, *([NUMPY] if tests.has_imports else [])]
    asked = json.dumps({"codes": [block.code for block in blocks], "before": before})
    (done,) = await sandbox.run(_LOOK, [asked], limits=limits)
    seen = _read(done, len(blocks))
    if tests.cases[0].is_call:
        return blocks[_last_best(_ranks_of_functions(seen, set(tests.called)))]
    quotes = [_is_quote(blocks, at) for at in range(len(blocks))]
    return blocks[_last_best(_ranks_of_programs(seen, quotes, has_input))]


def _read(done: r1sdk.Execution, count: int) -> list[dict[str, Any]]:
    try:
        seen = json.loads(done.stdout) if done.status == "ok" else None
    except ValueError:
        seen = None
    return seen if isinstance(seen, list) and len(seen) == count else [{} for _ in range(count)]


def _last_best(ranks: Sequence[tuple[int, ...]]) -> int:
    return max(range(len(ranks)), key=lambda at: (ranks[at], at))


def _stands_alone(seen: Sequence[dict[str, Any]], at: int) -> bool:
    """True if no name that the block needs is bound in an earlier block alone, and no module is another file of the reply."""
    earlier = {name for one in seen[:at] for name in one.get("binds", ())}
    return bool(seen[at]) and not seen[at]["is_foreign"] and not earlier.intersection(seen[at]["wants"])


def _ranks_of_functions(seen: Sequence[dict[str, Any]], called: set[str]) -> list[tuple[int, ...]]:
    """Rank by how many of the names `called` a block defines, and then as any block."""
    ranks = []
    for at, one in enumerate(seen):
        count = len(called.intersection(one.get("defines", ())))
        ranks.append((count, *_plain_rank(seen, at)))
    return ranks


def _ranks_of_programs(
    seen: Sequence[dict[str, Any]], quotes: Sequence[bool], has_input: bool
) -> list[tuple[int, ...]]:
    """Rank the whole programs first, and then as any block."""
    ranks = []
    for at, one in enumerate(seen):
        is_whole = False
        if one and one["runs"] and one["prints"] and _stands_alone(seen, at):
            is_guess = one["is_fixed"] and not quotes[at]
            is_whole = one["reads"] or is_guess or not (has_input or one["is_fixed"] or one["wants"])
        ranks.append((int(is_whole), *_plain_rank(seen, at)))
    return ranks


def _plain_rank(seen: Sequence[dict[str, Any]], at: int) -> tuple[int, ...]:
    does = bool(seen[at]) and bool(seen[at]["does"])
    return (int(does and _stands_alone(seen, at)), int(does), int(bool(seen[at])))


def _is_quote(blocks: Sequence[Block], at: int) -> bool:
    """True if the lines of a block stand together in an earlier one."""
    lines = _joined(blocks[at].code)
    return any(lines in _joined(block.code) for block in blocks[:at])


def _joined(code: str) -> str:
    return "\n" + "\n".join(line.strip() for line in code.split("\n") if line.strip()) + "\n"


def _ranks_by_text(blocks: Sequence[Block], language: str, has_input: bool) -> list[tuple[int, ...]]:
    """Rank programs of other languages: those with `main`, or, of a script, those that print and read."""
    ranks: list[tuple[int, ...]] = []
    for at, block in enumerate(blocks):
        if language == "javascript":
            prints, reads = _PRINTS.search(block.code), _READS.search(block.code)
            ranks.append((int(bool(prints and (reads or not has_input))), int(bool(prints))))
        elif language in _HAVE_MAIN:
            has_main = _MAIN.search(_APART.sub(" ", block.code)) is not None
            includes = language not in ("c", "cpp") or "#include" in block.code or "import " in block.code
            ranks.append((int(has_main), int(has_main and includes), int(not _is_quote(blocks, at))))
        else:
            ranks.append((0,))
    return ranks
