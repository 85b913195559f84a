"""`python -m r1_cli` is `r1`."""

from . import main

main()
