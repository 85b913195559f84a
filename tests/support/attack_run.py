"""Try every attack on the sandbox `local`, and print what came of it. An ordinary user runs it without pytest, from copied files.

python attack_run.py MODE...
"""

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import attacks
import attacks_languages

import r1sdk
from r1_sandboxes import LocalSandbox, builds, jail_pool, proc_usage
from r1_sandboxes.jail_client import JailDied
from r1_sandboxes.jail_pool import close_pools
from r1_sandboxes.start_jail import start_jail

TOKEN = "hf_0123456789abcdefTOKEN"
SMALL = r1sdk.ExecutionLimits(timeout_s=3.0, memory_bytes=128 << 20, output_bytes=1 << 20, disk_bytes=8 << 20)
SHORT = r1sdk.ExecutionLimits(timeout_s=0.5, memory_bytes=64 << 20, output_bytes=1 << 20, disk_bytes=8 << 20)
LONG = builds.LIMITS
BUILD = r1sdk.ExecutionLimits(timeout_s=1.2, memory_bytes=192 << 20, output_bytes=64 << 10, disk_bytes=48 << 20)
AFTER = {
    "python": "import os\nprint(int(input()) + 1, os.listdir('.'))",
    "cpp": '#include <cstdio>\nint main() { int n; scanf("%d", &n); printf("%d []\\n", n + 1); }',
    "rust": "use std::io; fn main() { let mut l = String::new(); io::stdin().read_line(&mut l).unwrap();\n"
    'let n: i64 = l.trim().parse().unwrap(); println!("{} []", n + 1); }',
    "javascript": "const n = Number(require('fs').readFileSync(0, 'utf8'))\nconst left = require('fs').readdirSync('.')\n"
    "console.log(n + 1, JSON.stringify(left.filter(name => name != 'main.js')))",
    "bash": 'read n; left=(*); [ "${left[*]}" = main.sh ] && left=; echo $((n + 1)) "[$left]"',
}


@dataclass(frozen=True)
class Attack:
    """One program, and the statuses that it may end with (None: any, as long as it gets nothing)."""

    language: str
    name: str
    code: str
    ends_with: tuple[str, ...] | None = None


def all_attacks(languages: Iterator[str] | list[str]) -> list[Attack]:
    """Return the attacks in the given languages."""
    found = []
    for language in languages:
        module = attacks if language == "python" else attacks_languages
        nothing = module.GETS_NOTHING if language == "python" else module.GETS_NOTHING.get(language, {})
        ended = module.ENDED if language == "python" else module.ENDED.get(language, {})
        found += [Attack(language, name, code) for name, code in nothing.items()]
        found += [Attack(language, name, code, tuple(sorted(ends))) for name, (code, ends) in ended.items()]
    return found


class Outside:
    """A file of the host, its folder and a token in the environment, for attacks to look for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = folder / "host.txt"
        self.host.write_text("of the host")
        self.host.chmod(0o666)
        os.environ["HF_TOKEN"] = TOKEN

    def place(self, attack: Attack) -> str:
        """Return the program of `attack`, with the file, folder and token that it looks for."""
        quote = (lambda text: text) if attack.language == "bash" else json.dumps
        text = attack.code.replace("HOST", quote(str(self.host))).replace("FOLDER", quote(str(self.folder)))
        return re.sub(r"\bTOKEN\b", lambda _: quote(TOKEN[2:]), text)

    def damage(self) -> str:
        """Return the damage to the file and the folder, or nothing."""
        if [path.name for path in self.folder.iterdir()] != ["host.txt"]:
            return f"the folder holds {[path.name for path in self.folder.iterdir()]}"
        if self.host.read_text() != "of the host" or self.host.stat().st_mode & 0o777 != 0o666:
            return "the file was changed"
        return ""


def execute(sandbox: LocalSandbox, code: str, *stdins: str, limits=SMALL, language="python"):
    return asyncio.run(sandbox.run(code, stdins or [""], limits=limits, language=language))


def try_attack(sandbox: LocalSandbox, attack: Attack, outside: Outside) -> str:
    """Return what was wrong, or nothing: it got something, ended otherwise, left a process, or the next program does not run."""
    limits = SMALL if attack.ends_with is None else SHORT
    if attack.ends_with is not None and "timeout" not in attack.ends_with:
        limits = replace(SHORT, timeout_s=30.0)  # it ends sooner, however busy the machine is
    builds.LIMITS = BUILD if attack.ends_with and ("compiler" in attack.name or "includes" in attack.name) else LONG
    done = execute(sandbox, outside.place(attack), "the other case", limits=limits, language=attack.language)[0]
    after = execute(sandbox, AFTER[attack.language], "41", language=attack.language)[0]
    left = [
        child
        for p in jail_pool._pools.values()
        if p.kind.language == attack.language
        for jail in p.jails
        for child in proc_usage.descendants(jail.pid)
    ]
    faults = []
    if "GOT" in done.stdout or "of the host" in done.stdout + done.stderr or TOKEN[3:] in done.stdout + done.stderr:
        faults.append("got through")
    if (
        attack.language == "python"
        and ("SyntaxError" in done.stderr or "NameError" in done.stderr)
        and attack.ends_with is None
    ):
        faults.append("the attack itself is broken")
    if attack.ends_with is not None and done.status not in attack.ends_with:
        faults.append(f"ended with {done.status}")
    building = builds.LIMITS.timeout_s if attack.language in ("cpp", "rust") else 0.0
    if done.seconds > max(limits.timeout_s, building) + 3.0:
        faults.append(f"took {done.seconds:.1f} s")
    if max(len(done.stdout), len(done.stderr)) > limits.output_bytes:
        faults.append("printed too much")
    if after.stdout != "42 []\n":
        faults.append(f"the next program: {after}")
    if left:
        faults.append(f"processes {left} are left")
    if damage := outside.damage():
        faults.append(damage)
    return f"{attack.language}, {attack.name}: {'; '.join(faults)}: {done}"[:1000] if faults else ""


def can_start(mode: str) -> bool:
    try:
        start_jail(mode).close()
    except (JailDied, r1sdk.R1Error):
        return False
    return True


def main() -> None:
    told = {}
    for mode in sys.argv[1:]:
        if not can_start(mode):
            told[mode] = None
            continue
        sandbox = LocalSandbox(mode=mode, workers=1)
        here = [name for name, how in sandbox.languages().items() if not how.startswith("not here")]
        tried = all_attacks(here)
        with tempfile.TemporaryDirectory() as folder:
            outside = Outside(Path(folder))
            holds = all(guarantee.holds for guarantee in sandbox.check())
            through = [fault for attack in tried if (fault := try_attack(sandbox, attack, outside))]
        told[mode] = {"user": os.getuid(), "languages": here, "tried": len(tried), "check": holds, "through": through}
        close_pools()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
