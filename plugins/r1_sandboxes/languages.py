"""The other languages: how their programs are built and run, and where the toolchain is on this machine."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import r1sdk

# ONLINE_JUDGE: contest programs read a file instead of stdin where it is not defined.
CPP_FLAGS = ("-O2", "-pipe", "-DONLINE_JUDGE")
PROGRAMS = ("/usr/bin", "/bin", "/usr/libexec", "/usr/include", "/usr/local/include", "/etc/alternatives")


@dataclass(frozen=True, slots=True)
class Step:
    """One command in the jail: a compiler, an interpreter, or, if it is empty, the program that was built."""

    command: tuple[str, ...] = ()  # {memory_mb} stands for the limit
    family: bool = False  # it may start processes
    claims_memory: bool = False  # it claims far more address space than it uses
    no_memory: str = "no memory"  # its message on stderr when it runs out of memory

    @property
    def watched(self) -> bool:
        """True if its memory is summed up from outside, because no limit of the kernel bounds it."""
        return self.family or self.claims_memory


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The commands that build (if needed) and run programs of one language."""

    version: str  # "g++ 12.2.0"
    source: str  # the name of the file for the program
    run: Step
    build: Step | None = None  # makes the file `main`
    paths: tuple[str, ...] = ()  # folders that the jail must show
    environment: tuple[tuple[str, str], ...] = ()


def _cpp() -> Toolchain:
    program = _find("g++", "cpp", "apt-get install g++")
    return Toolchain(
        version=f"g++ {_says(program, '-dumpfullversion')}",
        source="main.cpp",
        build=Step((program, _cpp_standard(program), *CPP_FLAGS, "-o", "main", "main.cpp"), family=True),
        run=Step(no_memory="std::bad_alloc"),
        paths=PROGRAMS,
    )


def _cpp_standard(program: str) -> str:
    """Return the option for C++20, or for the latest standard that an older compiler has."""
    for standard in ("-std=gnu++20", "-std=gnu++2a", "-std=gnu++17"):
        checked = [program, standard, "-x", "c++", "-fsyntax-only", "-"]
        if not subprocess.run(checked, input=b"", capture_output=True, timeout=60, check=False).returncode:
            return standard
    raise r1sdk.R1Error(f"cpp: {program} compiles no C++17")


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
        run=Step(command, claims_memory=True, no_memory="heap out of memory"),
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
    """Return the toolchain of `language`. Raises: R1Error where it is unknown, or not installed."""
    if language not in LANGUAGES:
        raise r1sdk.R1Error(f"sandbox 'local' runs python, {', '.join(LANGUAGES)}, not {language!r}")
    return LANGUAGES[language]()


def _find(program: str, language: str, how: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise r1sdk.R1Error(f"{language} needs {program}, which is not installed here: {how}")
    # Some programs look at the name that they are called by: only the folder is made real.
    return os.path.join(os.path.realpath(os.path.dirname(found)), os.path.basename(found))


def _says(*command: str) -> str:
    """Return the output of a toolchain's command. Raises: R1Error where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise r1sdk.R1Error(f"{' '.join(command)} does not work: {error}") from None
    return done.stdout.strip()
