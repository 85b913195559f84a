"""Languages beside Python: how their programs are built and run, where the toolchain is on this machine."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import r1sdk

PROGRAMS = ("/usr/bin", "/bin", "/usr/libexec", "/usr/include", "/usr/local/include", "/etc/alternatives")


@dataclass(frozen=True, slots=True)
class Step:
    """One command in the jail: a compiler, an interpreter, or, if it is empty, what was built."""

    command: tuple[str, ...] = ()  # {memory_mb} stands for the limit
    family: bool = False  # it may start processes
    reserves: bool = False  # it claims far more address space than it uses
    no_memory: str = "no memory"  # what it says on stderr when it runs out of memory

    @property
    def watched(self) -> bool:
        """Whether its memory is summed up from outside, because no limit of one process bounds it."""
        return self.family or self.reserves


@dataclass(frozen=True, slots=True)
class Toolchain:
    """How programs of one language are built, if they are, and run."""

    version: str  # "g++ 12.2.0"
    source: str  # the name of the file that a program is put in
    run: Step
    build: Step | None = None  # makes the file `main`
    paths: tuple[str, ...] = ()  # folders that the jail must show
    environment: tuple[tuple[str, str], ...] = ()


def _cpp() -> Toolchain:
    program = _find("g++", "cpp", "apt-get install g++")
    return Toolchain(
        version=f"g++ {_says(program, '-dumpfullversion')}",
        source="main.cpp",
        build=Step((program, "-std=c++17", "-O2", "-pipe", "-o", "main", "main.cpp"), family=True),
        run=Step(no_memory="std::bad_alloc"),
        paths=PROGRAMS,
    )


def _rust() -> Toolchain:
    found = _find("rustc", "rust", "https://rustup.rs, or apt-get install rustc")
    root = _says(found, "--print", "sysroot")
    program = os.path.join(root, "bin", "rustc")
    if not os.access(program, os.X_OK):
        raise r1sdk.R1Error(f"rust: {found} names {root} as its root, which has no bin/rustc that can be run")
    _find("cc", "rust", "apt-get install gcc")  # it links by it
    # Its own linker does not work without /proc.
    linked = ("-Clink-arg=-fuse-ld=bfd", "-Cstrip=symbols", "-Ccodegen-units=1")
    flags = ("--edition=2021", "-O", *linked, f"--sysroot={root}", "-o", "main")
    return Toolchain(
        version=" ".join(_says(program, "--version").split()[:2]),
        source="main.rs",
        build=Step((program, *flags, "main.rs"), family=True),
        run=Step(no_memory="memory allocation of"),
        paths=(*PROGRAMS, root),
        environment=(("LD_LIBRARY_PATH", os.path.join(root, "lib")),),  # without /proc it does not find its own
    )


def _javascript() -> Toolchain:
    program = _find("node", "javascript", "apt-get install nodejs")
    command = (program, "--max-old-space-size={memory_mb}", "--v8-pool-size=1", "main.js")
    return Toolchain(
        version=f"node {_says(program, '--version').lstrip('v')}",
        source="main.js",
        run=Step(command, reserves=True, no_memory="heap out of memory"),
        paths=(os.path.dirname(program),),
        environment=(("UV_THREADPOOL_SIZE", "1"), ("OPENSSL_CONF", "/dev/null")),
    )


def _bash() -> Toolchain:
    program = _find("bash", "bash", "apt-get install bash")
    version = _says(program, "-c", "echo ${BASH_VERSION%%(*}")
    return Toolchain(f"bash {version}", "main.sh", Step((program, "main.sh"), family=True), paths=PROGRAMS)


LANGUAGES: dict[str, Callable[[], Toolchain]] = {
    "bash": cache(_bash),
    "cpp": cache(_cpp),
    "javascript": cache(_javascript),
    "rust": cache(_rust),
}


def find_toolchain(language: str) -> Toolchain:
    """How `language` is run here. Raises: R1Error where it is unknown, or its toolchain is not installed."""
    if language not in LANGUAGES:
        raise r1sdk.R1Error(f"sandbox 'local' runs python, {', '.join(LANGUAGES)}, not {language!r}")
    return LANGUAGES[language]()


def _find(program: str, language: str, how: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise r1sdk.R1Error(f"{language} needs {program}, which is not installed here: {how}")
    # The name it was found by, which may say what it is to do; only its folder is made real.
    return os.path.join(os.path.realpath(os.path.dirname(found)), os.path.basename(found))


def _says(*command: str) -> str:
    """What a toolchain of this machine prints. Raises: R1Error where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise r1sdk.R1Error(f"{' '.join(command)} does not work: {error}") from None
    return done.stdout.strip()
