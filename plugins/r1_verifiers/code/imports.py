"""Imports that benchmarks put in front of every program, so that their reference solutions leave them out.

Names of those of LiveCodeBench, verl's prime_code, genesys and APPS together. The builtins come after the star imports that hide some
of them (`pow`, `open`), and typing last.
"""

_BOTH = (
    *("string", "re", "datetime", "collections", "heapq", "bisect"),
    *("copy", "math", "random", "statistics", "itertools"),
)
_STARS = (
    *_BOTH,
    *("functools", "operator", "io", "sys", "json", "builtins", "typing"),
)
_MODULES = (
    *_BOTH,
    *("functools", "operator", "io", "sys", "json", "time", "fractions", "decimal", "typing", "os"),
)

USUAL_IMPORTS = "\n".join(
    [
        *(f"from {name} import *" for name in _STARS),
        f"import {', '.join(_MODULES)}",
        "from collections import Counter, OrderedDict, defaultdict, deque",
        "from functools import cache, cmp_to_key, lru_cache, reduce",
        "from fractions import Fraction",
        "sys.setrecursionlimit(50000)",
    ]
)

NUMPY = "try:\n    import numpy\n    import numpy as np\nexcept ImportError:\n    pass"
