"""Verify programs: run them on the tests of their task in a sandbox and compare their output."""

from typing import Literal

Scoring = Literal["fraction", "all", "weighted"]
"""How passed tests become a value; `check_program` says what each means."""

Imports = Literal["auto", "always", "never"]
"""When the usual imports stand in front of a program; auto: where the shape's official grader puts them, and before functions."""

TEST_COLUMNS = (
    *("tests", "test_list", "verification_info", "test_cases", "test", "input_output", "reward_model", "ground_truth"),
    *("public_test_cases", "official_tests", "public_tests"),
)
"""Columns of tests in data sets, in the order in which they are looked for."""
