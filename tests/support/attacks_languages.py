"""Programs in other languages that attack the sandbox that runs them, or the compiler in it.

As in `attacks`: each prints GOT where it gets what it wants; HOST, FOLDER and TOKEN are a quoted file, folder and token.
"""

_C = """#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>
"""


def _c(body: str) -> str:
    return _C + "int main() {\nsetvbuf(stdout, nullptr, _IOLBF, 4096);\n" + body + "\n}"


GETS_NOTHING = {
    "cpp": {
        "reads files by raw calls": _c(
            'const char *paths[] = {HOST, "/etc/passwd", "/proc/self/environ", "/proc/1/environ", "/root/.profile"};\n'
            'for (auto path : paths) if (syscall(SYS_openat, AT_FDCWD, path, O_RDONLY) >= 0) printf("GOT %s\\n", path);'
        ),
        "writes and changes files": _c(
            "if (open(HOST, O_WRONLY) >= 0 || chmod(HOST, 0) == 0 || unlink(HOST) == 0 || truncate(HOST, 0) == 0 ||\n"
            '    rename(HOST, "mine") == 0 || link(HOST, "mine") == 0 || chown(HOST, 1, 1) == 0 ||\n'
            '    utimensat(AT_FDCWD, HOST, nullptr, 0) == 0 || mknod("device", S_IFCHR | 0666, 0x0101) == 0) puts("GOT");'
        ),
        "empties files without asking for a right to write": _c(
            "for (int mode = 0; mode < 4; mode++) for (int more : {0, O_CREAT, O_APPEND, O_NONBLOCK}) {\n"
            '    if (open(HOST, mode | O_TRUNC | more, 0600) >= 0) printf("GOT open %d\\n", mode);\n'
            '    if (syscall(SYS_openat, AT_FDCWD, HOST, mode | O_TRUNC | more, 0600) >= 0) printf("GOT openat %d\\n", mode);\n'
            '    if (open(FOLDER, O_TMPFILE | mode, 0600) >= 0) printf("GOT nameless %d\\n", mode); }\n'
            'if (open(HOST, 3) >= 0) puts("GOT mode 3");\nif (creat(HOST, 0600) >= 0) puts("GOT creat");'
        ),
        "starts threads without stacks": (
            "#include <sched.h>\n#include <unistd.h>\n#include <cstdio>\nstatic char stack[65536];\nint wait_here(void *) { for (;;) pause(); }\n"
            "int main() { int started = 0; while (started < 1500 && clone(wait_here, stack + 65520, 0x10f00, nullptr) > 0) started++;\n"
            'if (started >= 600) printf("GOT %d\\n", started); fflush(stdout); _exit(0); }'
        ),
        "takes a table of files of its own": _c(
            'if (syscall(436, 1000, 1001, 2) == 0 || unshare(CLONE_FILES) == 0) puts("GOT");\n'
            "for (long flags : {0x10b00L, 0x10000L, 0x10900L, 0x18f00L, 0x12f00L})\n"
            '    if (syscall(SYS_clone, flags, 0, 0, 0, 0) >= 0) printf("GOT %lx\\n", flags);'
        ),
        "starts processes": _c(
            'if (fork() >= 0) puts("GOT fork");\nif (vfork() >= 0) _exit(puts("GOT vfork"));\n'
            'if (system("echo GOT system") == 0) puts("GOT");\n'
            'if (syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) >= 0) puts("GOT clone");\n'
            'if (syscall(SYS_clone3, nullptr, 88) >= 0) puts("GOT clone3");'
        ),
        "leaves its group": _c('if (setsid() >= 0 || setpgid(0, 0) == 0) puts("GOT");'),
        "signals and traces others": _c(
            "int others[] = {1, getppid(), -1};\n"
            'for (int pid : others) if (pid != getpid() && kill(pid, SIGCONT) == 0) printf("GOT %d\\n", pid);\n'
            'if (ptrace(PTRACE_ATTACH, getppid(), 0, 0) == 0) puts("GOT trace");\n'
            "iovec vec = {others, 4};\n"
            'if (process_vm_readv(getppid(), &vec, 1, &vec, 1, 0) >= 0) puts("GOT memory");\n'
            'if (prctl(PR_SET_DUMPABLE, 1) == 0 || prctl(PR_SET_PDEATHSIG, 0) == 0) puts("GOT prctl");'
        ),
        "opens the network": _c(
            "for (int family : {1, 2, 10, 16, 17, 40}) for (int kind : {1, 2, 3, 5})\n"
            '    if (socket(family, kind, 0) >= 0) printf("GOT %d %d\\n", family, kind);\n'
            'int pair[2];\nif (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0) puts("GOT pair");'
        ),
        "uses files that it was not given": _c(
            'for (int fd = 3; fd < 1024; fd++) if (fcntl(fd, F_GETFD) >= 0) printf("GOT %d\\n", fd);'
        ),
        "raises its limits": _c(
            "rlimit all = {RLIM_INFINITY, RLIM_INFINITY};\n"
            "for (auto which : {RLIMIT_AS, RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_MEMLOCK})\n"
            '    if (setrlimit(which, &all) == 0) puts("GOT");\n'
            'if (prlimit(getppid(), RLIMIT_NOFILE, nullptr, &all) == 0) puts("GOT parent");'
        ),
        "takes namespaces, mounts, roots": _c(
            'if (syscall(SYS_unshare, CLONE_NEWUSER) == 0 || syscall(SYS_mount, "none", ".", "tmpfs", 0, 0) == 0 ||\n'
            '    chroot(".") == 0 || syscall(SYS_pivot_root, ".", ".") == 0 || syscall(SYS_bpf, 0, 0, 0) >= 0 ||\n'
            "    syscall(SYS_io_uring_setup, 8, calloc(1, 120)) >= 0 || syscall(SYS_userfaultfd, 0) >= 0 ||\n"
            '    syscall(SYS_memfd_create, "x", 0) >= 0 || syscall(SYS_keyctl, 0, -3, 1) >= 0) puts("GOT");'
        ),
        "changes what the next case runs": _c(
            'for (int fd = 0; fd < 256; fd++) { ftruncate(fd, 0); pwrite(fd, "GOT", 3, 0); }\n'
            'int own = open("main", O_WRONLY | O_CREAT, 0755); write(own, "#!/bin/sh\\necho GOT", 18);\n'
            "ftruncate(1, 0); lseek(1, 0, SEEK_SET);"
        ),
        "has the compiler include a file": '#include HOST\nint main() { puts("compiled"); }',
        "has the assembler include a file": (
            '#include <cstdio>\nextern "C" const char text[];\nasm(".global text\\ntext: .incbin \\"" HOST "\\"\\n.byte 0");\n'
            'int main() { printf("GOT %s", text); }'
        ),
        "has the compiler read the environment": '#include <cstdio>\n#include "/proc/self/environ"\nint main() {}',
    },
    "rust": {
        "has the compiler include a file": 'fn main() { println!("GOT {}", include_str!(HOST)); }',
        "has the compiler read the environment": 'fn main() { println!("GOT {}", env!("HF_TOKEN")); }',
        "looks at the environment": 'fn main() { for (n, v) in std::env::vars() { if v.contains(TOKEN) { println!("GOT {n}"); } } }',
    },
    "javascript": {
        "reads files": (
            "const fs = require('fs')\nfor (const path of [HOST, '/etc/passwd', '/proc/self/environ', '/proc/1/environ'])\n"
            "  try { console.log('GOT', fs.readFileSync(path, 'utf8')) } catch (e) {}\n"
            "try { console.log('GOT', fs.readdirSync(FOLDER)) } catch (e) {}"
        ),
        "writes files": (
            "const fs = require('fs')\nfor (const act of [() => fs.writeFileSync(HOST, 'x'), () => fs.chmodSync(HOST, 0), "
            "() => fs.unlinkSync(HOST), () => fs.writeFileSync(FOLDER + '/new', 'x'), () => fs.linkSync(HOST, 'mine')])\n"
            "  try { act(); console.log('GOT') } catch (e) {}"
        ),
        "starts processes": (
            "const c = require('child_process')\nfor (const act of [() => c.execSync('echo GOT'), () => c.fork(__filename)])\n"
            "  try { console.log(String(act())) } catch (e) {}"
        ),
        "opens the network": (
            "require('net').connect(9, '127.0.0.1').on('error', e => { if (e.code == 'ECONNREFUSED') console.log('GOT') })\n"
            "require('dgram').createSocket('udp4').on('error', () => {}).bind(0, () => { console.log('GOT'); process.exit() })"
        ),
        "signals others": (
            "for (const pid of [1, process.ppid, -1])\n  try { process.kill(pid, 'SIGCONT'); console.log('GOT', pid) } catch (e) {}"
        ),
        "looks at the environment": "if (JSON.stringify(process.env).includes(TOKEN)) console.log('GOT')",
    },
    "bash": {
        "reads files": (
            "for path in HOST /etc/passwd /proc/self/environ /proc/1/environ /root/.profile /etc/shadow; do\n"
            '  [ -r "$path" ] && text=$(cat "$path" 2>/dev/null) && [ -n "$text" ] && echo "GOT $text"\ndone; ls FOLDER && echo GOT'
        ),
        "writes files": (
            'for act in "chmod 777" "rm -f" "touch" "truncate -s 0" "chown 1" "tee"; do\n'
            '  $act HOST </dev/null >/dev/null 2>&1 && [ "$act" != "rm -f" ] && echo "GOT $act"\ndone\n'
            "cp /bin/true FOLDER/new 2>/dev/null && echo GOT; ln HOST mine 2>/dev/null && echo GOT\n"
            "echo x 2>/dev/null >/usr/bin/r1-written && echo GOT; echo x 2>/dev/null >/dev/shm/r1-written && echo GOT"
        ),
        "opens the network": (
            "(exec 3<>/dev/udp/127.0.0.1/9) 2>/dev/null && echo GOT\n"
            "(exec 3<>/dev/tcp/127.0.0.1/1) 2>&1 | grep -q refused && echo GOT\n"
            "python3 -c 'import socket; socket.socket(); print(\"GOT\")' 2>/dev/null"
        ),
        "signals others": (
            "for pid in 1 $PPID -1; do for name in KILL STOP TERM CONT; do kill -$name -- $pid 2>/dev/null && echo GOT $pid; done; done"
        ),
        "leaves its group": (
            "setsid -w true 2>/dev/null && echo GOT setsid; set -m; sleep 0 & wait\n"
            "perl -e 'print \"GOT perl\\n\" if setpgrp(0, 0)' 2>/dev/null\n"
            'python3 -c \'import os; os.setsid() if os.fork() == 0 else os.wait(); print("GOT" if os.getsid(0) == os.getpid() else "")\' 2>/dev/null; true'
        ),
        "empties files": (
            "for act in ': <' ': >' ': >>'; do eval \"$act 'HOST'\" 2>/dev/null && [ \"$act\" != ': <' ] && echo \"GOT $act\"; done\n"
            "python3 -c 'import os, sys\nfor mode in range(4):\n    for path in sys.argv[1:]:\n        try: os.open(path, mode | os.O_TRUNC)\n"
            '        except OSError: continue\n        print("GOT", mode, path)\' HOST 2>/dev/null\n'
            "dd if=/dev/null of=HOST 2>/dev/null && echo GOT dd; cp /dev/null HOST 2>/dev/null && echo GOT cp; true"
        ),
        "signals what it has not started": (
            "for pid in $(seq 1 300) -1 0x1 4294967295 99999; do [ $pid = $$ ] || kill -0 -- $pid 2>/dev/null && [ $pid != $$ ] && echo GOT $pid; done\n"
            "kill -9 -1 2>/dev/null && echo GOT all; true"
        ),
        "confuses the gate": (
            'python3 -c \'import ctypes, os, platform\nlibc = ctypes.CDLL(None)\nkill, tgkill = (62, 234) if platform.machine() == "x86_64" else (129, 131)\n'
            "for pid in (0, 1, -1, -2, os.getppid(), -os.getppid(), 2 ** 31, 2 ** 32 - 1, 2 ** 40, -2 ** 31):\n"
            "    for number in (0, -1, 64, 65, 66, 255, 2 ** 31, 2 ** 32, -2 ** 31, 2 ** 63 - 1):\n"
            "        n = ctypes.c_long(number)\n        if pid == 0 and 0 < number < 65: continue\n"
            "        done = libc.syscall(kill, ctypes.c_long(pid), n), libc.syscall(tgkill, ctypes.c_long(pid), ctypes.c_long(pid), n)\n"
            '        if 0 in done and number in (64,): print("GOT", pid, number, done)\' 2>/dev/null; true'
        ),
        "slows others": (
            "for act in 'renice -n 19 -p' 'taskset -p 1' 'ionice -c 3 -p' 'chrt -i -p 0'; do\n"
            '  $act $PPID >/dev/null 2>&1 && echo "GOT $act"; $act 1 >/dev/null 2>&1 && echo "GOT $act"\ndone; true'
        ),
        "reads its jail through /proc": (
            "for name in environ mem maps cmdline status root/etc/passwd cwd/.. fd; do for pid in $PPID 1 $$ self; do\n"
            '  [ -n "$(cat /proc/$pid/$name 2>/dev/null; ls /proc/$pid/$name/ 2>/dev/null)" ] && [ "$name" != fd ] && echo "GOT $pid $name"\n'
            "done; done; ls /proc 2>/dev/null && echo GOT; true"
        ),
        "leaves daemons": "(sleep 600 &) ; nohup sleep 600 >/dev/null 2>&1 & disown -a; (trap '' TERM HUP INT; sleep 600) & exit 0",
        "takes namespaces": (
            "for act in 'unshare -r true' 'unshare -n true' 'mount -t tmpfs none .' 'chroot . true' 'nsenter -t 1 -m true' 'su -c true'; do\n"
            '  $act </dev/null >/dev/null 2>&1 && echo "GOT $act"\ndone; true'
        ),
        "raises its limits": (
            "for what in d f n s t v u; do ulimit -H -$what unlimited 2>/dev/null && [ $what != d -o $what != u ] && ulimit -$what\n"
            'done | grep -v unlimited; (ulimit -H -v unlimited) 2>/dev/null && [ "$(ulimit -H -t)" = unlimited ] && echo GOT; true'
        ),
        "looks at the environment": 'case "$(env; set)" in *TOKEN*) echo GOT;; esac',
        "uses files that it was not given": (
            "python3 -c 'import os\nfor fd in range(3, 256):\n    try: os.fstat(fd)\n    except OSError: continue\n    print(\"GOT\", fd)' 2>/dev/null; true"
        ),
    },
}

# What each of these must end with.
ENDED = {
    "cpp": {
        "takes memory": (_c("for (;;) memset(new char[1 << 20], 1, 1 << 20);"), {"memory"}),
        "takes shared memory": (
            _c(
                "for (;;) { void *p = mmap(0, 1 << 20, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);\n"
                "if (p == MAP_FAILED) abort(); memset(p, 1, 1 << 20); }"
            ),
            {"failed"},
        ),
        "recurses": (
            "int f(int n) { volatile char x[1000]; x[0] = n; return n ? f(n + 1) + x[0] : 0; } int main() { return f(1); }",
            {"failed"},
        ),
        "loops": (_c("for (;;);"), {"timeout"}),
        "stops itself": (_c("raise(SIGSTOP); for (;;) pause();"), {"timeout", "failed"}),
        "prints without end": (
            _c('for (;;) puts("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");'),
            {"output"},
        ),
        "fills the disk": (
            _c(
                'char name[20]; static char x[1 << 18]; for (int n = 0;; n++) { sprintf(name, "%d", n);\n'
                "int fd = open(name, O_WRONLY | O_CREAT, 0600); write(fd, x, sizeof x); close(fd); }"
            ),
            {"output"},
        ),
        "does not compile": ("int main() { return nothing; }", {"failed"}),
        "is too large when compiled": (
            "char x[1 << 28] = {1}; int main() { return x[5]; }",
            {"failed", "output", "memory"},
        ),
        "takes the compiler's time": (
            (
                "constexpr int f(int n) { int s = 0; for (int i = 0; i < 30000; i++) s ^= i * n; return s; }\n"
                "template <int N> struct A { static constexpr int v = f(N) ^ A<N - 1>::v ^ A<N - 2>::v; };\n"
                "template <> struct A<0> { static constexpr int v = 0; }; template <> struct A<1> { static constexpr int v = 1; };\n"
                "int main() { return A<800>::v & 1; }"
            ),
            {"timeout", "memory", "failed"},
        ),
        "takes the compiler's memory": (
            (
                "template <class A, class B> struct P {};\ntemplate <int N, class T> struct G { typedef typename G<N - 1, P<T, T>>::t t; };\n"
                "template <class T> struct G<0, T> { typedef T t; };\ntemplate <class T> void f() { throw T(); }\n"
                "int main() { f<G<40, int>::t>(); }"
            ),
            {"timeout", "memory", "failed", "output"},
        ),
        "includes itself": (
            '#include "main.cpp"\n#include "main.cpp"\nint main() {}',
            {"failed", "timeout", "output", "memory"},
        ),
        "includes what never ends": ('#include "/dev/zero"\nint main() {}', {"failed", "timeout", "memory"}),
    },
    "javascript": {
        "takes heap": ("const x = []\nfor (;;) x.push(new Array(1000).fill({}))", {"memory"}),
        "takes memory beside the heap": (
            "const x = []\nfor (;;) x.push(Buffer.alloc(1 << 20, 1))",
            {"memory", "failed"},
        ),
        "takes shared memory": (
            "const x = []\nfor (;;) { const b = new SharedArrayBuffer(1 << 22); new Uint8Array(b).fill(1); x.push(b) }",
            {"memory", "failed"},
        ),
        "loops": ("for (;;);", {"timeout"}),
        "prints without end": (
            "const fs = require('fs')\nfor (;;) fs.writeSync(1, 'x'.repeat(65536))",
            {"output", "failed"},
        ),
        "starts threads": (
            "const { Worker } = require('worker_threads')\nfor (let i = 0; i < 1000; i++) new Worker('for (;;);', { eval: true })",
            {"timeout", "memory", "failed"},
        ),
    },
    "bash": {
        "fills the disk in a folder that cannot be listed": (
            "mkdir -m 300 d; for i in {1..2000}; do head -c 500000 /dev/zero >d/f$i || break; done; sleep 60",
            {"output"},
        ),
        "is a fork bomb in another language": (
            "python3 -c 'import os\nfor _ in range(2000):\n    try: os.fork()\n    except OSError: pass'; sleep 60",
            {"timeout", "memory"},
        ),
        "is a fork bomb": ("f() { f | f & }; f; wait; sleep 60", {"timeout", "memory"}),
        "starts processes without end": ("while :; do sleep 60 & done", {"timeout", "memory"}),
        "takes memory": ("x=x; while :; do x=$x$x; done", {"memory", "failed", "timeout"}),
        "takes memory in many processes": (
            "for i in 1 2 3 4 5 6 7 8 9 10; do (printf -v x '%*s' 20000000 ''; sleep 60) & done; wait",
            {"memory"},
        ),
        "loops": ("while :; do :; done", {"timeout"}),
        "ignores signals": ("trap '' TERM INT HUP QUIT; while :; do sleep 1; done", {"timeout"}),
        "prints without end": ("yes", {"output", "failed"}),
        "prints without end from the back": ("yes & yes & wait", {"output", "failed"}),
        "fills the disk": ("i=0; while head -c 500000 /dev/zero >f$i; do i=$((i+1)); done; sleep 60", {"output"}),
        "fills the disk with files that have no names": (
            "for i in {1..200}; do exec {fd}>x && head -c 1000000 /dev/zero >&$fd; rm x; done; sleep 60",
            {"output", "failed", "timeout"},
        ),
        "makes folders without end": ("while :; do mkdir d && cd d || sleep 60; done", {"output"}),
        "makes folders that cannot be removed": (
            "mkdir -p a/b/c; mkdir -m 0 a/b/no; echo x >a/b/c/file; mkdir -m 0 none",
            {"ok"},
        ),
    },
}
