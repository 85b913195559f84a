"""Programs in C++, JavaScript, Rust and Bash: judged as Python's are, built once, refused where the toolchain is missing."""

import asyncio
import json

import pytest

import r1sdk
from r1_envs.table import File
from r1_sandboxes import LocalSandbox, jail_pool, languages
from r1_sandboxes.jail_pool import close_pools
from r1_verifiers.code.code_block import find_program
from r1_verifiers.code.run_tests import check_program
from r1_verifiers.code.tests import read_tests

HERE = LocalSandbox().languages()
ADD = {"tests": [{"input": f"{a} {b}\n", "output": f"{a + b}\n"} for a, b in ((1, 2), (-5, 5), (10, 20))]}
RIGHT = {
    "cpp": "#include <bits/stdc++.h>\nint main() { long a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }",
    "javascript": "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number)\nconsole.log(a + b)",
    "rust": (
        "use std::io::{self, Read};\nfn main() { let mut s = String::new(); io::stdin().read_to_string(&mut s).unwrap();\n"
        'println!("{}", s.split_whitespace().map(|x| x.parse::<i64>().unwrap()).sum::<i64>()); }'
    ),
    "bash": "read a b\nprintf '%s\\n' \"$a\" \"$b\" | awk '{ sum += $1 } END { print sum }'",
}
WRONG = {
    "cpp": '#include <cstdio>\nint main() { std::puts("3"); }',
    "javascript": "console.log(3)",
    "rust": 'fn main() { println!("3"); }',
    "bash": "echo 3",
}


@pytest.fixture(scope="module")
def sandbox():
    yield LocalSandbox(workers=1)
    close_pools()


@pytest.fixture(params=sorted(RIGHT))
def language(request):
    if HERE[request.param].startswith("not here"):
        pytest.skip(HERE[request.param])
    return request.param


def reply(code, tag):
    return f"<think>\nhm\n</think>\n<answer>\n```{tag}\n{code}\n```\n</answer>"


def check(sandbox, code, language, **options):
    return asyncio.run(check_program(reply(code, language), {**ADD, "language": language}, sandbox, **options))


def test_a_right_program_is_worth_one_and_a_wrong_one_its_share(sandbox, language):
    assert check(sandbox, RIGHT[language], language).value == 1.0
    assert check(sandbox, WRONG[language], language).value == pytest.approx(1 / 3)
    assert check(sandbox, WRONG[language], language, scoring="all").value == 0.0
    broken = check(sandbox, "this is ( no program", language)
    assert broken.value == 0.0 and "failed x3" in broken.reason, broken


def test_a_program_is_built_once_for_all_its_cases_and_for_all_calls(sandbox, monkeypatch):
    if HERE["cpp"].startswith("not here"):
        pytest.skip(HERE["cpp"])
    built = []
    real = jail_pool.build
    monkeypatch.setattr(jail_pool, "build", lambda jail, source: built.append(1) or real(jail, source))
    code = RIGHT["cpp"] + "// once"
    for _ in range(2):
        assert check(sandbox, code, "cpp", scoring="all").value == 1.0  # one case first, then the others
    assert len(built) == 1


def test_each_case_begins_afresh(sandbox, language):
    leave = {
        "cpp": '#include <cstdio>\nint main() { puts(fopen("left", "r") ? "seen" : "new"); fopen("left", "w"); }',
        "javascript": "const fs = require('fs')\nconsole.log(fs.existsSync('left') ? 'seen' : 'new'); fs.writeFileSync('left', '')",
        "rust": (
            'fn main() { println!("{}", if std::path::Path::new("left").exists() { "seen" } else { "new" });\n'
            'std::fs::write("left", "").unwrap(); }'
        ),
        "bash": "[ -e left ] && echo seen || echo new; touch left 2>/dev/null; : >left; (sleep 60; : >late) &",
    }[language]
    done = asyncio.run(sandbox.run(leave, ["", "", ""], language=language))
    assert [execution.stdout for execution in done] == ["new\n"] * 3, done


def test_the_sandbox_says_that_programs_of_a_language_run_and_reach_nothing(sandbox, language):
    found = {guarantee.name: guarantee for guarantee in sandbox.check(language)}
    assert found[language].holds and found["network"].holds


def test_a_missing_toolchain_is_an_error_before_training(tmp_path, monkeypatch, r1):
    monkeypatch.setattr(languages.shutil, "which", lambda program: None)
    for find in languages.LANGUAGES.values():
        find.cache_clear()
    rows = [
        {"prompt": f"In {name}.", "tests": [{"input": "1", "output": "1"}], "language": name}
        for name in ("python", "C++", "rust")
    ]
    file = tmp_path / "problems.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    try:
        with pytest.raises(r1sdk.R1Error) as caught:
            next(iter(File(str(file), verifier="code", test_share=0.0, sandbox=LocalSandbox(workers=1)).tasks("train")))
        assert "cpp needs g++, which is not installed here: apt-get install g++" in str(caught.value)
        assert "rust needs rustc" in str(caught.value), "all that is missing is said at once"
        assert LocalSandbox().languages()["bash"].startswith("not here: bash needs bash")
        options = ("--set", f"env.options.source={file}", "--set", "env.options.test_share=0", "--dry-run")
        options = ("--set", "env.options.verifier=code", *options)
        said = r1("train", "--env", "file", "--rewards", "accuracy", "--set", "evaluation.tasks=0", *options)
        assert said.code == 1 and "cpp needs g++" in said.err and "rust needs rustc" in said.err
    finally:
        for find in languages.LANGUAGES.values():
            find.cache_clear()
        close_pools()


def test_the_block_of_a_language_is_found_by_any_of_its_names():
    for tag in ("cpp", "C++", "cc", "CPP"):
        assert find_program(f"```{tag}\nint x;\n```", "cpp") == "int x;\n"
    assert find_program("```rs\nfn\n```", "rust") == "fn\n" and find_program("```sh\nls\n```", "bash") == "ls\n"
    assert find_program("```java\nx\n```", "javascript") is None
    assert read_tests({**ADD, "language": "C++"}).language == "cpp"


def test_lines_of_a_program_end_where_its_language_says():
    assert find_program("```python\nx = 'a\u2028b\x0cc'\n```") == "x = 'a\u2028b\x0cc'\n"


def test_calls_of_functions_are_for_python_alone():
    with pytest.raises(r1sdk.R1Error, match="call a function, which is for python; for cpp"):
        read_tests({"tests": [{"call": "f(1)", "output": 1}], "language": "cpp"})


def test_the_command_lists_the_languages(r1):
    said = r1("sandbox", "local", "--option", "workers=1")
    assert f"python: {HERE['python']}" in said.out and all(f"{name}: {how}" in said.out for name, how in HERE.items())
    assert json.loads(r1("sandbox", "--json").out)["languages"] == HERE
    wrong = r1("sandbox", "local", "--language", "cobol")
    assert wrong.code == 1 and "runs python, bash, cpp, javascript, rust, not 'cobol'" in wrong.err
