"""Programs as models and contests write them: each ends the same way in both modes of the sandbox `local`."""

import sys
import time
from pathlib import Path

import pytest

import r1sdk
from r1_sandboxes import LocalSandbox
from r1_sandboxes.jail_pool import close_pools

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from attack_run import can_start, execute

HERE = LocalSandbox().languages()
LIMITS = r1sdk.ExecutionLimits(timeout_s=20.0)

# Each prints 5 where its input is 4.
PYTHON = {
    "reads stdin by its path": "print(int(open('/dev/stdin').read()) + 1)",
    "reads stdin by its descriptor": "print(int(open(0).read()) + 1)",
    "reads stdin through /dev/fd": "print(int(open('/dev/fd/0').read()) + 1)",
    "reads stdin through /proc": "print(int(open('/proc/self/fd/0').read()) + 1)",
    "replaces stdin": "import sys\nsys.stdin = open('/dev/stdin')\nprint(int(input()) + 1)",
    "maps stdin": "import mmap\nprint(int(mmap.mmap(0, 0, access=mmap.ACCESS_READ).read()) + 1)",
    "seeks in stdin": "import sys\ninput()\nsys.stdin.seek(0)\nprint(int(input()) + 1)",
    "prints to the path of stdout": "print(int(input()) + 1, file=open('/dev/stdout', 'w'))",
    "prints to the path of stderr": "import sys\nprint('x', file=open('/dev/stderr', 'w'))\nprint(int(input()) + 1)",
    "writes to the descriptor": "import os\nos.write(1, str(int(input()) + 1).encode())",
    "leaves a file on the descriptor unclosed": "f = open(1, 'w')\nf.write(str(int(input()) + 1))",
    "leaves a copy of the descriptor unclosed": "import os\nf = os.fdopen(os.dup(1), 'w')\nf.write(str(int(input()) + 1))",
    "leaves a file that a module holds": (
        "import os, sys\nsys.kept = os.fdopen(os.dup(1), 'w')\nsys.kept.write(str(int(input()) + 1))"
    ),
    "leaves a buffer unflushed": (
        "import io\nw = io.BufferedWriter(io.FileIO(1, 'w', closefd=False))\nw.write(str(int(input()) + 1).encode())"
    ),
    "wraps stdout": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, line_buffering=False)\nprint(int(input()) + 1)",
    "wraps what stdout was": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding='utf-8')\nprint(int(input()) + 1)",
    "collects its output until the end": (
        "import atexit, io, sys\nbuffer = io.StringIO()\nsys.stdout = buffer\n"
        "atexit.register(lambda: sys.__stdout__.write(buffer.getvalue()))\nprint(int(input()) + 1)"
    ),
    "collects its output and writes it to the old stdout": (
        "import io, sys\nold = sys.stdout\nsys.stdout = io.StringIO()\nprint(int(input()) + 1)\nold.write(sys.stdout.getvalue())"
    ),
    "prints in a destructor": "class A:\n    def __del__(self): print(self.x)\na = A()\na.x = int(input()) + 1",
    "prints in a destructor of a cycle": "class A:\n    def __del__(self): print(n + 1)\nn = int(input())\na = A()\na.a = a\ndel a",
    "prints when a generator is closed": "def g():\n    try: yield\n    finally: print(n + 1)\nn = int(input())\nx = g()\nnext(x)",
    "closes stdout": "import sys\nprint(int(input()) + 1)\nsys.stdout.close()",
    "drops stdout": "import sys\nprint(int(input()) + 1)\nsys.stdout = None",
    "closes both": "import sys\nprint(int(input()) + 1)\nsys.stdout.close()\nsys.stderr.close()",
    "ends in a thread": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print(int(input()) + 1))).start()",
    "exits": "print(int(input()) + 1)\nexit(0)",
    "exits without flushing afterwards": "import os, sys\nprint(int(input()) + 1, flush=True)\nos._exit(0)",
    "knows its file": "import os\nos.path.dirname(os.path.abspath(__file__))\nassert __name__ == '__main__'\nprint(int(input()) + 1)",
    "reads its own source": "import inspect\ndef f(): return 1\nassert inspect.getsource(f) == 'def f(): return 1\\n'\nprint(int(input()) + 1)",
    "prints a large number": "assert len(str(2 ** 20000)) == 6021\nprint(int(input()) + 1)",
    "raises the limit on recursion": (
        "import sys\nsys.setrecursionlimit(10 ** 6)\ndef f(n): return n and 1 + f(n - 1)\nprint(f(100000) - 99999 + int(input()))"
    ),
    "raises the limit on the stack": (
        "import resource, sys\nresource.setrlimit(resource.RLIMIT_STACK, (resource.getrlimit(resource.RLIMIT_STACK)[1],) * 2)\n"
        "sys.setrecursionlimit(10 ** 6)\nprint(int(input()) + 1)"
    ),
    "takes a thread with a stack of 512 MiB": (
        "import sys, threading\nsys.setrecursionlimit(10 ** 7)\nthreading.stack_size(1 << 29)\ndef f(n): return n and 1 + f(n - 1)\n"
        "def main(): print(f(200000) - 199999 + int(input()))\nt = threading.Thread(target=main)\nt.start()\nt.join()"
    ),
    "takes a hundred threads": (
        "from concurrent.futures import ThreadPoolExecutor\nimport time\nwith ThreadPoolExecutor(100) as pool:\n"
        "    done = list(pool.map(lambda n: time.sleep(0.01) or n, range(300)))\nprint(len(done) - 299 + int(input()))"
    ),
    "is noisy on stderr": "import sys\nfor n in range(300000): print('debug', n, file=sys.stderr)\nprint(int(input()) + 1)",
    "warns": "import re\nre.compile('\\d')\nassert 1 is not 2\nprint(int(input()) + 1)",
    "uses files": (
        "import os, sqlite3, tempfile\nwith tempfile.NamedTemporaryFile('w') as f: f.write('x')\nos.makedirs('a/b')\nopen('a/x', 'w').close()\n"
        "os.rename('a/x', 'a/b/y')\nsqlite3.connect('a.db').execute('create table t (x)')\nprint(int(input()) + 1)"
    ),
    "pickles its own class": (
        "import dataclasses, pickle\n@dataclasses.dataclass\nclass A: x: int\nprint(pickle.loads(pickle.dumps(A(int(input()) + 1))).x)"
    ),
    "has annotations from the future": (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\nprint(A(int(input()) + 1).x)"
    ),
    "runs an event loop": "import asyncio\nasync def f(): print(int(input()) + 1)\nasyncio.run(f())",
}
OTHERS = {
    "cpp": {
        "reopens the streams": (
            '#include <bits/stdc++.h>\nint main() { freopen("/dev/stdin", "r", stdin); freopen("/dev/stdout", "w", stdout);\n'
            "int x; std::cin >> x; std::cout << x + 1; }"
        ),
        "reads a file only outside of contests": (
            '#include <bits/stdc++.h>\nint main() {\n#ifndef ONLINE_JUDGE\nfreopen("input.txt", "r", stdin);\n#endif\n'
            "int x; std::cin >> x; std::cout << x + 1; }"
        ),
        "is C++20": (
            "#include <bits/stdc++.h>\nusing namespace std;\ntemplate <integral T> T next_of(T x) { return x + 1; }\n"
            "int main() { int x; cin >> x; vector<int> v{3, 1, 2}; ranges::sort(v); auto f = []<class T>(T a) { return a; };\n"
            "cout << next_of(f(x)) + v[0] - popcount(1u) + (3 <=> 3 == 0) - 1; }"
        ),
        "uses what GNU adds": "#include <bits/stdc++.h>\nint main() { __int128 x; int n; std::cin >> n; x = n; typeof(n) y = 1; std::cout << int(x + y); }",
        "recurses": (
            "#include <bits/stdc++.h>\nint f(int n) { volatile char b[64]; b[0] = 1; return n ? f(n - 1) + b[0] : 0; }\n"
            "int main() { int x; std::cin >> x; std::cout << f(400000) - 399999 + x; }"
        ),
        "starts threads": (
            "#include <bits/stdc++.h>\nint main() { int x; std::cin >> x; std::atomic<int> c{0}; std::vector<std::thread> t;\n"
            "for (int i = 0; i < 6; i++) t.emplace_back([&] { c++; }); for (auto &y : t) y.join(); std::cout << x + c - 5; }"
        ),
        "is noisy on stderr": (
            '#include <bits/stdc++.h>\nint main() { int x; std::cin >> x; for (int i = 0; i < 200000; i++) std::cerr << "debug " << i << "\\n";\n'
            "std::cout << x + 1; }"
        ),
    },
    "javascript": {
        "reads stdin by its path": "console.log(Number(require('fs').readFileSync('/dev/stdin', 'utf8')) + 1)",
        "reads stdin by its descriptor": "console.log(Number(require('fs').readFileSync(0, 'utf8')) + 1)",
        "reads stdin as events": "let s = ''\nprocess.stdin.on('data', d => s += d).on('end', () => console.log(Number(s) + 1))",
        "reads lines": "require('readline').createInterface({ input: process.stdin }).on('line', l => console.log(Number(l) + 1))",
    },
    "rust": {
        "reads stdin by its path": (
            'fn main() { println!("{}", std::fs::read_to_string("/dev/stdin").unwrap().trim().parse::<i64>().unwrap() + 1); }'
        ),
        "starts a thread with a large stack": (
            "fn f(n: u64) -> u64 { let b = [n; 16]; if n == 0 { 0 } else { 1 + f(n - 1) + b[3] - b[4] } }\n"
            "fn main() { let mut s = String::new(); std::io::stdin().read_line(&mut s).unwrap();\n"
            "std::thread::Builder::new().stack_size(256 << 20).spawn(move || { let x: u64 = s.trim().parse().unwrap();\n"
            'println!("{}", f(100000) - 99999 + x) }).unwrap().join().unwrap(); }'
        ),
    },
    "bash": {
        "reads stdin by its path": "read x </dev/stdin; echo $((x + 1))",
        "substitutes processes": "read x; while read y; do echo $((x + y)); done < <(echo 1)",
        "reads from two processes": "read x; paste <(echo $x) <(echo 1) | { read a b; echo $((a + b)); }",
        "prints to the path of stdout": "read x; echo $((x + 1)) >/dev/stdout; echo noise >/dev/stderr",
        "ends its own children": "read x; sleep 30 & kill $!; wait $! 2>/dev/null; [ $? = 143 ] && echo $((x + 1))",
        "catches its own signals": "read x; trap 'echo $((x + 1)); exit 0' USR1; kill -USR1 $$; sleep 5",
        "starts hundreds of processes": "read x; for i in {1..300}; do y=$(echo $x); done; echo $((y + 1))",
        "waits for thirty at a time": "read x; for i in {1..30}; do sleep 0.1 & done; wait; echo $((x + 1))",
    },
}


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def sandbox(request):
    if not can_start(request.param):
        pytest.skip(f"{request.param} does not work on this machine")
    yield LocalSandbox(mode=request.param, workers=1)
    close_pools()


@pytest.mark.parametrize("name", PYTHON)
def test_a_python_program_as_it_is_written_is_right_in_both_modes(sandbox, name):
    done = execute(sandbox, PYTHON[name], "4\n", limits=LIMITS)[0]
    assert (done.status, done.stdout.strip(), done.exit_code) == ("ok", "5", 0), done


@pytest.mark.parametrize(("language", "name"), [(language, name) for language in OTHERS for name in OTHERS[language]])
def test_a_program_of_another_language_is_right_in_both_modes(sandbox, language, name):
    if HERE[language].startswith("not here"):
        pytest.skip(HERE[language])
    done = execute(sandbox, OTHERS[language][name], "4\n", limits=LIMITS, language=language)[0]
    assert (done.status, done.stdout.strip(), done.exit_code) == ("ok", "5", 0), done


def test_a_program_that_fails_in_python_fails_here(sandbox):
    for code, exit_code in (
        ("import sys\nprint(1)\nsys.exit(1)", 1),
        ("import os\nprint(1)\nos.close(1)", 120),  # what was printed cannot be written
        ("import sys\nclass Closed:\n    def write(self, text): pass\nsys.stdout = Closed()", 120),
        ("raise SystemExit('no')", 1),
        ("import threading\nprint(1)\nraise ValueError", 1),
    ):
        done = execute(sandbox, code)[0]
        assert (done.status, done.exit_code) == ("failed", exit_code), (code, done)
    done = execute(sandbox, "def f():\n    return 1 / 0\nf()")[0]
    assert '  File "main.py", line 2, in f\n    return 1 / 0\n' in done.stderr, done


@pytest.mark.parametrize("language", ["python", "cpp", "bash"])
def test_input_and_output_of_ten_million_bytes_come_whole(sandbox, language):
    if HERE[language].startswith("not here"):
        pytest.skip(HERE[language])
    code = {
        "python": "import sys\nsys.stdout.write(sys.stdin.read())",
        "cpp": "#include <bits/stdc++.h>\nint main() { std::cout << std::cin.rdbuf(); }",
        "bash": "cat",
    }[language]
    given = "1234567 89\n" * (12_000_000 // 11)
    limits = r1sdk.ExecutionLimits(timeout_s=30.0, output_bytes=2 * len(given))
    done = execute(sandbox, code, given, limits=limits, language=language)[0]
    assert done.status == "ok" and done.stdout == given
    small = r1sdk.ExecutionLimits(timeout_s=30.0, output_bytes=1 << 20)
    done = execute(sandbox, code, given, limits=small, language=language)[0]
    assert done.status == "output" and len(done.stdout) == 1 << 20


def test_noise_on_stderr_is_cut_and_has_an_end(sandbox):
    limits = r1sdk.ExecutionLimits(timeout_s=30.0, output_bytes=64 << 10)
    done = execute(sandbox, "import sys\nfor _ in range(3000): sys.stderr.write('x' * 1000)\nprint(1)", limits=limits)[
        0
    ]
    assert (done.status, done.stdout, len(done.stderr)) == ("ok", "1\n", 64 << 10)
    done = execute(sandbox, "import sys\nwhile True: sys.stderr.write('x' * 100000)", limits=limits)[0]
    assert (done.status, len(done.stderr)) == ("output", 64 << 10)


def test_errors_of_single_bytes_do_not_keep_the_trainer_busy(sandbox):
    code = (
        "import fcntl, os, time\nfcntl.fcntl(2, fcntl.F_SETFL, os.O_DIRECT)\nend = time.monotonic() + 1.0\n"
        "while time.monotonic() < end: os.write(2, b'x')\nprint(1)"
    )
    execute(sandbox, "pass")
    before = time.process_time()
    done = execute(sandbox, code)[0]
    assert done.stdout == "1\n" and set(done.stderr) == {"x"}
    assert time.process_time() - before < 0.4
