"""Programs that attack the sandbox that runs them. Each prints GOT where it gets what it wants; none may.

HOST, FOLDER and TOKEN stand for a file and a folder outside of the sandbox, and for a token in the environment of the trainer.
"""

LIBC = "import ctypes, os, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n"

# Threads by machine code: each runs `pause` in a loop on a stack that all share, so that no limit on memory bounds them.
RAW_THREADS = (
    LIBC
    + """
import mmap, platform
code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes.fromhex('b822000000' '0f05' 'ebf7' if platform.machine() == 'x86_64' else
                         '000080d2010080d2020080d2030080d2880880d2010000d4f9ffff17'))
start = ctypes.addressof(ctypes.c_char.from_buffer(code))
stack = ctypes.create_string_buffer(65536)
top = ctypes.c_void_p((ctypes.addressof(stack) + 65536 - 64) & ~15)
def raw_thread(flags=0x10f00):
    return libc.clone(ctypes.c_void_p(start), top, flags, None)
"""
)

# System calls that are on no list: they must be refused before their arguments are looked at.
X86_64_REFUSED = (
    "29 30 31 41 42 43 47 49 50 51 52 54 55 64 65 66 67 68 69 70 71 73 76 86 90 91 92 93 94 97 101 103 105 106 109 112 113 114 "
    "116 117 119 122 123 125 126 129 132 133 134 135 136 139 141 142 144 148 149 150 151 152 153 154 155 156 157 159 160 161 "
    "162 163 164 165 166 167 168 169 170 171 172 173 174 175 176 177 178 179 180 181 182 183 184 185 187 188 189 190 191 192 "
    "193 194 195 196 197 198 199 200 203 205 206 207 208 209 210 211 212 214 215 216 222 223 224 225 226 227 235 236 237 238 "
    "240 241 242 243 244 245 246 248 249 250 251 252 253 254 255 256 259 260 261 265 268 272 276 277 278 279 280 282 285 288 "
    "289 294 297 298 299 300 301 303 304 305 306 307 308 310 311 312 313 314 315 317 319 320 321 322 323 324 325 327 328 329 "
    "330 331 333 424 425 426 427 428 429 430 431 432 433 434 437 438 440 441 442 443 444 445 446 447 448 449 450 451 452 453 "
    "454 455 456 457 458 459 460 461 462 463 464 465 466 467 468"
)

GETS_NOTHING = {
    "reads a file of the host": "print('GOT', open(HOST).read())",
    "reads it by a relative path": "print('GOT', open('../' * 20 + HOST).read())",
    "reads it through a link": "import os\nos.symlink(HOST, 'link')\nprint('GOT', open('link').read())",
    "reads it through a hard link": "import os\nos.link(HOST, 'link')\nprint('GOT', open('link').read())",
    "reads it through the root of its parent": "import os\nprint('GOT', open(f'/proc/{os.getppid()}/root' + HOST).read())",
    "empties a file, by every mode of opening": (
        "import os, sys\nfor path in (HOST, os.path.join(sys.path[0], 'empty_for_probes')):\n    for mode in (0, 1, 2, 3):\n"
        "        for more in (0, os.O_APPEND, os.O_CREAT, os.O_NOFOLLOW, os.O_NONBLOCK, os.O_DIRECT, os.O_SYNC):\n"
        "            try: fd = os.open(path, mode | os.O_TRUNC | more)\n            except OSError: continue\n"
        "            print('GOT', path, mode, more)"
    ),
    "opens a file without asking for a right": (
        "import os\nfor more in (0, os.O_CLOEXEC, os.O_APPEND, os.O_NONBLOCK):\n    try: fd = os.open(HOST, 3 | more)\n"
        "    except OSError: continue\n    print('GOT', more)"
    ),
    "empties a file by raw calls": LIBC
    + "import platform\nx86 = platform.machine() == 'x86_64'\npath = HOST.encode()\nhow = (ctypes.c_uint64 * 3)(0o1000 | 3, 0, 0)\n"
    "calls = [((257 if x86 else 56), -100, path, 0o1003, 0), (437, -100, path, how, 24), ((76 if x86 else 45), path, 0)]\n"
    "if x86: calls += [(2, path, 0o1000, 0), (2, path, 0o1003, 0), (85, path, 0o666)]\n"
    "for call in calls:\n    if libc.syscall(*call) >= 0: print('GOT', call[0])",
    "empties a file through a path or a descriptor of its own": (
        "import os\nfor mode in (0, 1, 2, 3):\n    try: fd = os.open(HOST, os.O_PATH)\n    except OSError: break\n"
        "    for path in (f'/proc/self/fd/{fd}', f'/dev/fd/{fd}', f'/proc/thread-self/fd/{fd}'):\n"
        "        try: os.open(path, mode | os.O_TRUNC)\n        except OSError: continue\n        print('GOT', path, mode)\n"
        "    for act in (lambda: os.ftruncate(fd, 0), lambda: os.truncate(f'/proc/self/fd/{fd}', 0), lambda: os.read(fd, 9)):\n"
        "        try: act()\n        except OSError: continue\n        print('GOT', mode)"
    ),
    "makes nameless files in a folder of the host": (
        "import os\nfor mode in (1, 2, 3):\n    try: fd = os.open(FOLDER, os.O_TMPFILE | mode, 0o600)\n    except OSError: continue\n"
        "    print('GOT', mode)"
    ),
    "exchanges and moves files of the host": LIBC
    + "import platform\nnumber = 316 if platform.machine() == 'x86_64' else 276\nopen('mine', 'w').close()\n"
    "for a, b in ((HOST, 'mine'), ('mine', HOST), ('mine', FOLDER + '/new'), (HOST, 'other')):\n    for flags in (0, 1, 2, 4):\n"
    "        if libc.syscall(number, -100, a.encode(), -100, b.encode(), flags) == 0: print('GOT', a, b, flags)",
    "writes to what it has mapped for reading": (
        "import ctypes, mmap, os\nfd = os.open(os.__file__, os.O_RDONLY)\n"
        "try: mapped = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)\nexcept OSError: pass\nelse: print('GOT')\n"
        "mapped = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ)\nlibc = ctypes.CDLL(None)\n"
        "page = ctypes.CDLL(None).mmap\npage.restype = ctypes.c_void_p\npage.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + "
        "[ctypes.c_long]\nat = page(None, 4096, 1, 1, fd, 0)\nif at and libc.mprotect(ctypes.c_void_p(at), 4096, 3) == 0: print('GOT mprotect')"
    ),
    "makes any other system call": LIBC
    + f"import platform\nif platform.machine() == 'x86_64':\n    for number in map(int, '{X86_64_REFUSED}'.split()):\n"
    "        ctypes.set_errno(0)\n        done = libc.syscall(number, -1, -1, -1, -1, -1, -1)\n"
    "        if done != -1 or ctypes.get_errno() not in (1, 13, 38): print('GOT', number, done, ctypes.get_errno())",
    "passes descriptors": (
        "import array, os, socket\na, b = socket.socketpair()\nfor act in (lambda: a.sendmsg([b'x'], [(1, 1, array.array('i', [0]))]), "
        "lambda: socket.send_fds(a, [b'x'], [0]), lambda: b.recvmsg(9, 99, socket.MSG_DONTWAIT), lambda: a.getpeername(), "
        "lambda: a.setsockopt(1, 9, 1), lambda: a.connect('x')):\n    try: act()\n    except OSError: continue\n    print('GOT')"
    ),
    "passes descriptors where the gate goes through": LIBC
    + "import platform, socket\na, b = socket.socketpair()\nfor at in (300, 301, 299):\n    try: os.dup2(a.fileno(), at)\n"
    "    except OSError: pass\n    else: print('GOT', at)\n"
    "    if libc.syscall(46 if platform.machine() == 'x86_64' else 211, at, bytes(56), 0) >= 0: print('GOT sent')",
    "sends to sockets by their names": (
        "import socket\nfor kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):\n    a, b = socket.socketpair(socket.AF_UNIX, kind)\n"
        "    for name in ('\\0abstract', '/run/dbus/system_bus_socket', '/var/run/docker.sock', '/run/systemd/private'):\n"
        "        for act in (lambda: a.sendto(b'x', name), lambda: a.connect(name), lambda: a.bind(name)):\n"
        "            try: act()\n            except OSError: continue\n            print('GOT', name)"
    ),
    "opens the memory of processes": (
        "import os\nfor pid in ('self', os.getppid(), 1):\n    for name in ('mem', 'maps', 'pagemap', 'status', 'cmdline', 'auxv', 'stack', "
        "'oom_score_adj', 'coredump_filter', 'fd/0/x', 'task', 'ns', 'root/etc'):\n        for mode in (os.O_RDONLY, os.O_WRONLY):\n"
        "            try: os.open(f'/proc/{pid}/{name}', mode)\n            except OSError: continue\n            print('GOT', pid, name)"
    ),
    "opens files of the kernel": (
        "import os\nfor path in ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/cpuinfo', '/proc/kcore', '/proc/mounts', "
        "'/proc/self/mountinfo', '/proc/keys', '/proc', '/sys/fs/cgroup', '/sys/kernel/mm/ksm/run', '/dev/shm', '/dev/mqueue', '/dev/ptmx', "
        "'/dev/pts', '/dev/fuse', '/dev/kvm', '/dev/nvidia0', '/dev/full', '/dev/userfaultfd', '/dev/cpu_dma_latency'):\n"
        "    for mode in (os.O_RDONLY, os.O_WRONLY):\n        try: os.open(path, mode)\n        except OSError: continue\n"
        "        print('GOT', path)"
    ),
    "signals every process there is": (
        "import os\nfor pid in range(1, 40000):\n    if pid == os.getpid(): continue\n    try: os.kill(pid, 0)\n    except OSError: continue\n"
        "    print('GOT', pid)"
    ),
    "limits and slows other processes": LIBC
    + "import resource\nfor pid in (1, os.getppid(), os.getppid() - 1):\n    if pid in (0, os.getpid()): continue\n"
    "    for act in (lambda: resource.prlimit(pid, resource.RLIMIT_CPU), lambda: os.sched_setaffinity(pid, {0}), "
    "lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)), lambda: os.setpriority(os.PRIO_PROCESS, pid, 19), "
    "lambda: os.setpriority(os.PRIO_USER, os.getuid(), 19)):\n        try: act()\n        except OSError: continue\n        print('GOT', pid)",
    "changes attributes of its own files that outlive it": LIBC
    + "import fcntl\nopen('x', 'w').close()\nfor act in (lambda: os.setxattr('x', 'user.a', b'b'), lambda: os.chmod('x', 0o4755), "
    "lambda: os.chown('x', 0, 0), lambda: os.utime('x'), lambda: os.link('x', 'y'), lambda: fcntl.ioctl(os.open('x', 0), 0x40086602, b'x' * 8), "
    "lambda: fcntl.flock(os.open(os.__file__, 0), fcntl.LOCK_EX), lambda: fcntl.fcntl(os.open('x', 0), 1024, 0), "
    "lambda: os.mkfifo('f')):\n    try: act()\n    except OSError: continue\n    print('GOT')",
    "starts threads that share no files": LIBC
    + "import platform\nnumber = 56 if platform.machine() == 'x86_64' else 220\n"
    "for flags in (0x10100 | 0x800, 0x10000, 0x10b00, 0x10f00 | 0x8000, 0x10f00 | 0x10000000, 0x10f00 | 0x2000):\n"
    "    if libc.syscall(number, flags, 0, 0, 0, 0) >= 0: print('GOT', hex(flags))\n"
    "if libc.syscall(436, 1000, 1001, 2) == 0 or libc.unshare(0x400) == 0: print('GOT a table of its own')",
    "starts threads without stacks": RAW_THREADS
    + "started = 0\nwhile started < 1500 and raw_thread() > 0: started += 1\nif started >= 600: print('GOT', started)\n"
    "sys.stdout.flush()\nos._exit(0)",
    "starts threads without stacks, again and again": RAW_THREADS
    + "import time\nstarted, end = 0, time.monotonic() + 1\nwhile started < 1500 and time.monotonic() < end:\n"
    "    started += raw_thread() > 0\nif started >= 600: print('GOT', started)\nsys.stdout.flush()\nos._exit(0)",
    "answers its own gate": LIBC
    + "import fcntl\nfor fd in range(0, 512):\n    for request in (0xC0502100, 0xC0182101, 0x40082102, 0x40182103):\n"
    "        try: fcntl.ioctl(fd, request, bytes(80))\n        except OSError: continue\n        print('GOT', fd)",
    "raises its limits as far as they go": (
        "import resource, time\nfor name in dir(resource):\n    if name.startswith('RLIMIT_'):\n        which = getattr(resource, name)\n"
        "        try: resource.setrlimit(which, (resource.getrlimit(which)[1],) * 2)\n        except (OSError, ValueError): pass\n"
        "kept = bytearray(600 << 20)\ntime.sleep(1)\nprint('GOT', len(kept))"
    ),
    "reads its own output and the errors of others": (
        "import os\nfor path in ('/dev/stdout', '/dev/stderr', '/dev/fd/1', '/proc/self/fd/2'):\n    try: fd = os.open(path, os.O_RDONLY | "
        "os.O_NONBLOCK)\n    except OSError: continue\n    try: text = os.read(fd, 4096)\n    except OSError: continue\n"
        "    if text: print('GOT', text)"
    ),
    "reads it by raw calls": LIBC + "fd = libc.open(HOST.encode(), 0)\nif fd >= 0: print('GOT', os.read(fd, 99))",
    "opens it by io_uring": LIBC + "if libc.syscall(425, 8, bytes(120)) >= 0: print('GOT')",
    "opens it by its handle": LIBC + "if libc.syscall(304, -100, bytes(64), 0) >= 0: print('GOT')",
    "lists folders": "import os\nprint('GOT', os.listdir(FOLDER))",
    "reads home": "import os\nprint('GOT', os.listdir(os.path.expanduser('~root')), open('/root/.profile').read())",
    "reads the tests that are installed": (
        "import os, sys\nfor root in list(sys.path) + ['/usr/lib/python3/dist-packages', '/usr/local/lib']:\n"
        "    for folder, _, files in os.walk(root):\n        if 'packages' in folder:\n"
        "            for name in files:\n                print('GOT', open(os.path.join(folder, name), 'rb').read(10))"
    ),
    "reads the environment": "import os\nif TOKEN in str(os.environ): print('GOT')",
    "reads the parent's environment": (
        "import os\nfor pid in (1, 'self', 'thread-self', os.getppid()):\n    try: data = open(f'/proc/{pid}/environ').read()\n"
        "    except OSError: continue\n    print('GOT', pid)"
    ),
    "reads every process's environment": (
        "import os\nfor pid in range(1, 70000):\n    try: print('GOT', open(f'/proc/{pid}/environ').read())\n"
        "    except OSError: pass"
    ),
    "traces its parent": LIBC + "if libc.ptrace(16, os.getppid(), 0, 0) == 0: print('GOT')",
    "reads its parent's memory": (
        LIBC + "buf = ctypes.create_string_buffer(8)\nvec = (ctypes.c_void_p * 2)(ctypes.addressof(buf), 8)\n"
        "if libc.process_vm_readv(os.getppid(), vec, 1, vec, 1, 0) >= 0: print('GOT')"
    ),
    "writes outside": (
        "import os\nfor path in (HOST, FOLDER + '/new', '/new', '/usr/lib/new', '/dev/shm/new', '/var/tmp/new', os.__file__):\n"
        "    try: open(path, 'a').write('x')\n    except OSError: continue\n    print('GOT', path)"
    ),
    "removes and renames outside": (
        "import os, shutil\nfor act in (lambda: os.unlink(HOST), lambda: os.rename(HOST, 'mine'), lambda: os.rmdir(FOLDER), "
        "lambda: os.truncate(HOST, 0), lambda: os.chmod(HOST, 0), lambda: os.utime(HOST), lambda: os.chown(HOST, 1, 1)):\n"
        "    try: act()\n    except OSError: continue\n    print('GOT')"
    ),
    "mounts": LIBC + "if libc.mount(b'none', b'.', b'tmpfs', 0, None) == 0: print('GOT')",
    "makes namespaces": LIBC + "if libc.unshare(0x10000000) == 0 or libc.setns(0, 0) == 0: print('GOT')",
    "changes its root": LIBC + "if libc.chroot(b'.') == 0: print('GOT')",
    "opens the network": (
        "import socket\nfor family in (1, 2, 10, 16, 17):\n    for kind in (1, 2, 3):\n"
        "        try: socket.socket(family, kind)\n        except OSError: continue\n        print('GOT', family)"
    ),
    "opens the network by raw calls": LIBC + "if libc.syscall(41, 2, 1, 0) >= 0: print('GOT')",
    "opens it by the other calling convention": LIBC + "if libc.syscall(0x40000000 + 41, 2, 1, 0) >= 0: print('GOT')",
    "speaks to loopback": "import urllib.request\nprint('GOT', urllib.request.urlopen('http://127.0.0.1:PORT').read())",
    "sends from an unconnected pair": (
        "import socket\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\na.sendto(b'x', '\\0abstract')\nprint('GOT')"
    ),
    "forks": "import os\nos.fork()\nprint('GOT')",
    "forks by raw calls": LIBC
    + "for call in (lambda: libc.fork(), lambda: libc.vfork(), lambda: libc.syscall(56, 17, 0, 0, 0, 0)):\n"
    "    if call() >= 0: print('GOT')",
    "clones with flags in memory": LIBC
    + "args = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17)\nif libc.syscall(435, args, 88) >= 0: print('GOT')",
    "starts a shell": "import os, subprocess\nsubprocess.run(['/bin/sh', '-c', 'echo GOT'])",
    "becomes another program": "import os, sys\nos.execv(HOST, ['x'])\nprint('GOT')",
    "leaves a daemon": (
        "import multiprocessing, time\nmultiprocessing.get_context('fork').Process(target=time.sleep, args=(60,)).start()\nprint('GOT')"
    ),
    "signals others": (
        "import os, signal\nfor pid in (1, os.getppid(), -1, 0, 2, 3):\n    if pid == os.getpid(): continue\n"
        "    for send in (os.kill, os.killpg):\n        try: send(pid, signal.SIGCONT)\n        except (OSError, ValueError): continue\n"
        "        print('GOT', pid)"
    ),
    "has the kernel signal for it": (
        "import fcntl, os\nr, w = os.pipe()\nfor command in (8, 10, 15):\n    try: fcntl.fcntl(r, command, os.getppid())\n"
        "    except OSError: continue\n    print('GOT', command)"
    ),
    "raises its own limits": (
        "import resource\nfor limit in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):\n"
        "    try: resource.setrlimit(limit, (-1, -1))\n    except (OSError, ValueError): continue\n    print('GOT', limit)"
    ),
    "changes the limits of its parent": (
        "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (0, 0))\nprint('GOT')"
    ),
    "becomes another user": LIBC
    + "print('GOT') if libc.syscall(105, 0) == 0 or libc.syscall(117, 0, 0, 0) == 0 else None",
    "uses files that it was not given": (
        "import os\nfor fd in range(3, 256):\n    try: os.fstat(fd)\n    except OSError: continue\n    print('GOT', fd)"
    ),
    "keeps memory that outlives it": LIBC
    + "if libc.shmget(77, 4096, 0o1666) >= 0 or libc.syscall(319, b'x', 0) >= 0: print('GOT')",
    "reads kernel keys": LIBC
    + "if libc.syscall(250, 0, -3, 1) >= 0 or libc.syscall(321, 0, bytes(64), 64) >= 0: print('GOT')",
    "changes the clock, the name, the priority of others": (
        "import os, time\nfor act in (lambda: time.clock_settime(0, 0), lambda: os.setpriority(0, os.getppid(), 19), "
        "lambda: os.sched_setaffinity(os.getppid(), {0})):\n    try: act()\n    except OSError: continue\n    print('GOT')"
    ),
    "allocates disk that no limit counts": LIBC
    + "fd = os.open('x', os.O_RDWR | os.O_CREAT)\nif libc.fallocate(fd, 1, ctypes.c_long(0), ctypes.c_long(1 << 34)) == 0: print('GOT')",
    "follows links to other processes": (
        "import os\nfor pid in ('self', os.getppid(), 1):\n    for name in ('cwd', 'root', 'fd/0', 'fd/3', 'map_files'):\n"
        "        try: print('GOT', os.readlink(f'/proc/{pid}/{name}') if pid != 'self' else os.listdir(f'/proc/self/{name}/..'))\n"
        "        except OSError: pass"
    ),
    "takes files of other processes by their descriptors": LIBC
    + "for call in ((434, os.getppid(), 0), (438, 3, 0, 0), (424, 3, 0, 0, 0), (311, os.getppid(), 0, 0, 0, 0, 0)):\n"
    "    if libc.syscall(*call) >= 0: print('GOT', call)",
    "waits for the processes of others": (
        "import os\nfor act in (lambda: os.wait(), lambda: os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)):\n"
        "    try: print('GOT', act())\n    except ChildProcessError: pass"
    ),
    "unseals its input and its program": (
        "import fcntl, os\nfor act in (lambda: fcntl.fcntl(1, 1033, 15), lambda: os.ftruncate(0, 0), lambda: os.pwrite(0, b'x', 0), "
        "lambda: fcntl.fcntl(0, 1033, 0)):\n    try: act()\n    except OSError: continue\n    print('GOT')"
    ),
    "makes devices, pipes and sockets with names": (
        "import os, stat\nfor kind in (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK):\n"
        "    try: os.mknod(f'n{kind}', kind | 0o666, os.makedev(1, 1))\n    except OSError: continue\n    print('GOT', kind)"
    ),
    "watches files of the host": LIBC
    + "for number in (253, 294, 300):\n    if libc.syscall(number, 0, 0) >= 0: print('GOT', number)",
    "changes how memory is laid out or who it is": LIBC
    + "for call in ((135, 0x0040000), (157, 4, 1), (157, 36, 1), (157, 1, 0), (317, 0, 0, 0), (106, 0), (123, 0), (141, 0, 0, 19)):\n"
    "    if libc.syscall(*call) == 0: print('GOT', call)",
    "queues signals to others": LIBC
    + "info = ctypes.create_string_buffer(128)\nfor pid in (os.getppid(), 1):\n    for call in ((129, pid, 18, info), (297, pid, pid, 18, info), "
    "(200, pid, 18), (234, pid, pid, 18)):\n        if pid != os.getpid() and libc.syscall(*call) == 0: print('GOT', call)",
    "has itself asked for by name": (
        "import os\nfor path in ('/dev/tty', '/dev/mem', '/dev/kmsg', '/sys/kernel', '/run', '/var/log'):\n"
        "    try: fd = os.open(path, os.O_RDONLY)\n    except OSError: continue\n    print('GOT', path)"
    ),
    "looks for other cases in memory": (
        "import gc, sys\nframe = sys._getframe()\nseen = []\nwhile frame: seen.append(str(frame.f_locals)); frame = frame.f_back\n"
        "objects = [o for o in gc.get_objects() if isinstance(o, (dict, list, tuple))]\n"
        "key = 'the other ' + 'case'\nif any(key in text for text in seen): print('GOT in a frame')\n"
        "for o in objects:\n    for v in (o.values() if isinstance(o, dict) else o):\n"
        "        if isinstance(v, (str, bytes)) and v is not key and key in str(v) and 'key =' not in str(v): print('GOT in', type(o))"
    ),
    "looks for other cases in raw memory": (
        LIBC + "key = ('the other ' + 'case').encode()\nstart = id(object()) & ~0xFFFFF\n"
        "try:\n    data = ctypes.string_at(start, 0x80000)\nexcept Exception: data = b''\n"
        "if data.count(b'expected by ' + b'nobody else'): print('GOT')"
    ),
}

# What each of these must end with.
ENDED = {
    "takes memory": ("x = []\nwhile True: x.append(bytearray(1 << 20))", {"memory"}),
    "takes memory and hides the error": (
        "x = []\nwhile True:\n    try: x.append(bytearray(1 << 20))\n    except MemoryError: pass",
        {"timeout"},
    ),
    "takes memory by mapping files": (
        "import mmap\nx = []\nwhile True: x.append(mmap.mmap(-1, 1 << 24))",
        {"failed", "memory"},
    ),
    "loops": ("while True: pass", {"timeout"}),
    "holds the interpreter's lock": ("9 ** 9 ** 9", {"timeout"}),
    "sleeps": ("import time\ntime.sleep(60)", {"timeout"}),
    "stops itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", {"timeout"}),
    "ignores signals": (
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except OSError: pass\nwhile True: pass",
        {"timeout"},
    ),
    "starts threads without end": (
        "import threading, time\nwhile True:\n    try: threading.Thread(target=time.sleep, args=(60,)).start()\n    except RuntimeError: time.sleep(60)",
        {"timeout", "memory", "failed"},
    ),
    "prints without end": ("while True: print('x' * 1000)", {"output"}),
    "prints errors without end": ("import sys\nwhile True: print('x' * 1000, file=sys.stderr)", {"output"}),
    "prints past the buffer": ("import os\nwhile os.write(1, b'x' * 65536): pass", {"output", "failed"}),
    "writes a large file": ("file = open('x', 'wb')\nwhile True: file.write(bytes(1 << 20))", {"failed", "output"}),
    "makes a sparse file": (
        "import os\nfd = os.open('x', os.O_RDWR | os.O_CREAT)\nos.ftruncate(fd, 1 << 40)",
        {"failed"},
    ),
    "fills the disk": ("n = 0\nwhile True:\n    open(str(n), 'wb').write(bytes(500000))\n    n += 1", {"output"}),
    "fills the disk with files that have no names": (
        (
            "import os\nkept = []\nwhile True:\n    kept.append(os.open('x', os.O_RDWR | os.O_CREAT))\n"
            "    os.write(kept[-1], bytes(1000000))\n    os.unlink('x')"
        ),
        {"output", "failed"},
    ),
    "fills the disk with files that never had names": (
        (
            "import mmap, os, time\nkept = []\nwhile True:\n    try: fd = os.open('.', os.O_TMPFILE | os.O_RDWR)\n"
            "    except OSError: time.sleep(60)\n    os.write(fd, bytes(1000000))\n    kept.append(mmap.mmap(fd, 4096))\n    os.close(fd)"
        ),
        {"output", "failed", "timeout"},
    ),
    "fills the disk with mapped files that have no names": (
        (
            "import mmap, os\nkept = []\nwhile True:\n    with open('x', 'wb+') as f:\n        f.write(bytes(1000000))\n        f.flush()\n"
            "        kept.append(mmap.mmap(f.fileno(), 4096))\n    os.unlink('x')"
        ),
        {"output", "failed"},
    ),
    "fills the disk by writing over names": (
        (
            "import os\nkept = []\nwhile True:\n    kept.append(os.open('y', os.O_RDWR | os.O_CREAT))\n    os.write(kept[-1], bytes(1000000))\n"
            "    os.rename('y', 'x')"
        ),
        {"output", "failed"},
    ),
    "fills the disk in a folder that cannot be listed": (
        "import os\nos.mkdir('d', 0o300)\nfor n in range(2000): open(f'd/{n}', 'wb').write(bytes(500000))",
        {"output"},
    ),
    "fills the disk in a folder that cannot be listed, by its mask": (
        (
            "import os\nos.umask(0o477)\nos.makedirs('a/b')\nfor n in range(2000):\n    fd = os.open(f'a/b/{n}', os.O_WRONLY | os.O_CREAT)\n"
            "    os.write(fd, bytes(500000))\n    os.close(fd)"
        ),
        {"output"},
    ),
    "fills the disk below paths that are too long": (
        (
            "import os\nfor _ in range(20):\n    os.mkdir('x' * 250)\n    os.chdir('x' * 250)\n"
            "for n in range(2000): open(str(n), 'wb').write(bytes(500000))"
        ),
        {"output"},
    ),
    "makes files without end in a folder that cannot be listed": (
        "import os, time\nos.mkdir('d', 0o300)\nfor n in range(3000): open(f'd/{n}', 'w').close()\ntime.sleep(60)",
        {"output"},
    ),
    "fills the disk in folders that change places": (
        (
            "import os, threading\nos.makedirs('a/x')\nos.mkdir('b')\ndef swap():\n    while True:\n        try:\n            os.rename('a/x', 'b/x')\n"
            "            os.rename('b/x', 'a/x')\n        except OSError: pass\nthreading.Thread(target=swap, daemon=True).start()\nn = 0\n"
            "while True:\n    n += 1\n    for at in ('a/x', 'b/x'):\n        try: open(f'{at}/{n}', 'wb').write(bytes(500000))\n        except OSError: pass"
        ),
        {"output"},
    ),
    "fills the disk while it opens and closes files": (
        (
            "import os, threading\ndef churn():\n    while True: os.close(os.open('.', os.O_RDONLY))\n"
            "for _ in range(4): threading.Thread(target=churn, daemon=True).start()\nkept = []\nwhile True:\n"
            "    kept.append(os.open('x', os.O_RDWR | os.O_CREAT))\n    os.write(kept[-1], bytes(1000000))\n    os.unlink('x')"
        ),
        {"output", "failed"},
    ),
    "takes memory in a thread": (
        "import threading, time\ndef take():\n    kept = bytearray(700 << 20)\n    time.sleep(60)\nthreading.Thread(target=take).start()",
        {"memory"},
    ),
    "prints errors by raw calls without end": (
        "import os\nwhile True: os.write(2, b'x' * 65536)",
        {"output", "failed"},
    ),
    "makes files without end": ("n = 0\nwhile True:\n    open(str(n), 'w').close()\n    n += 1", {"output"}),
    "makes folders without end": ("import os\nwhile True:\n    os.mkdir('d')\n    os.chdir('d')", {"output", "failed"}),
    "makes 3000 folders, one in another": (
        "import os\nfor _ in range(3000):\n    os.mkdir('deep')\n    os.chdir('deep')",
        {"ok", "output"},
    ),
    "makes folders that cannot be entered": (
        "import os\nos.makedirs('a/b/c')\nfor name in 'xyz':\n    os.mkdir('a/' + name, 0)\nos.mkdir('locked', 0)",
        {"ok"},
    ),
    "makes links to the host": (
        "import os\nos.mkdir('d')\nfor at in ('link', 'd/link'):\n    os.symlink(FOLDER, at)\n    os.symlink(HOST, at + '2')",
        {"ok"},
    ),
    "takes names that clearing may use": (
        "import os\nfor n in range(50):\n    os.makedirs(f'd/.cleared {n}/x')\n    os.makedirs(f'.cleared {n}/x')",
        {"ok"},
    ),
    "ends at once": ("import os\nos._exit(0)", {"ok"}),
    "ends with another code": ("import os\nos._exit(251)", {"failed"}),
    "ends with the code for no memory": ("import os\nos._exit(250)", {"memory"}),
    "kills itself": ("import os\nos.kill(os.getpid(), 9)", {"memory"}),
    "crashes": ("import ctypes\nctypes.string_at(0)", {"failed"}),
    "crashes by recursion": (
        "import sys\nsys.setrecursionlimit(10 ** 8)\ndef f(): return [f()]\nf()",
        {"failed", "memory", "timeout"},
    ),
    "closes everything": ("import os\nos.closerange(0, 256)", {"ok", "failed"}),
    "breaks the interpreter": (
        "import builtins, sys, os, threading\nfor name in list(vars(builtins)):\n    if name != 'name': builtins.__dict__[name] = None",
        {"ok", "failed"},
    ),
    "empties the modules": ("import sys\nfor m in list(sys.modules.values()):\n    vars(m).clear()", {"ok", "failed"}),
    "writes to the jail's socket": (
        'import os\nfor fd in range(3, 256):\n    try: os.write(fd, b\'{"ended": "exit", "code": 0, "seconds": 0}\')\n    except OSError: pass',
        {"ok"},
    ),
    "is no program": ("this is ( no program", {"failed"}),
    "is a nest of parentheses": ("(" * 100000, {"failed", "memory"}),
    "holds a null byte": ("print('a\0b')", {"failed"}),
    "leaves threads": (
        "import threading\nthreading.Thread(target=lambda: sum(iter(int, 1))).start()",
        {"timeout"},
    ),
    "raises in its exit handlers": ("import atexit\natexit.register(lambda: 1 / 0)", {"ok", "failed"}),
    "raises what cannot be printed": (
        "class E(Exception):\n    def __str__(self): raise self\n    __repr__ = __str__\nraise E",
        {"failed"},
    ),
}
