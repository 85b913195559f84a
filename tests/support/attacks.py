"""Programs that attack the sandbox that runs them. Each prints GOT where it gets what it wants; none may.

HOST, FOLDER and TOKEN stand for a file and a folder outside of the sandbox, and for a token in the environment of the trainer.
"""

LIBC = "import ctypes, os, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n"

GETS_NOTHING = {
    "reads a file of the host": "print('GOT', open(HOST).read())",
    "reads it by a relative path": "print('GOT', open('../' * 20 + HOST).read())",
    "reads it through a link": "import os\nos.symlink(HOST, 'link')\nprint('GOT', open('link').read())",
    "reads it through a hard link": "import os\nos.link(HOST, 'link')\nprint('GOT', open('link').read())",
    "reads it through the root of its parent": "import os\nprint('GOT', open(f'/proc/{os.getppid()}/root' + HOST).read())",
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
