"""Python around a program that is asked something: what it prints is out of the way, and what is said at the end is all of stdout."""

import textwrap

_AROUND = """
def main(source):
    import json, os, sys
    asked = json.loads(sys.stdin.read())
    out = os.dup(1)
    os.dup2(2, 1)
    names = {{"__name__": {name!r}}}
    exec(compile(source, {name!r} + ".py", "exec", dont_inherit=True), names)
{then}
    said = said.encode()
    while said:
        said = said[os.write(out, said):]
main({source!r})
"""


def asking(source: str, name: str, then: str) -> str:
    """A program that runs `source` as the module `name`, and then `then`: that finds what JSON on stdin asked in `asked`, what
    `source` defines in `names`, and sets `said`.
    """
    return _AROUND.format(source=source, name=name, then=textwrap.indent(textwrap.dedent(then).strip(), "    "))
