"""Tables of maths answers: gold answer -> answers that are right, answers that are wrong."""

from collections.abc import Sequence

from r1_verifiers import maths

Answers = tuple[Sequence[str], Sequence[str]]


def check_answers(gold: str, answers: Answers) -> None:
    """Assert that the gold answer and the right answers earn 1.0 without a remark; the wrong ones and its variants 0.0."""
    right, wrong = answers
    for answer in (gold, *right):
        verdict = maths.check(reply(answer), gold)
        assert (verdict.value, verdict.reason) == (1.0, ""), answer
    for answer in (*wrong, *maths.variants(gold)):
        assert maths.check(reply(answer), gold).value == 0.0, answer


def check_verdicts(gold: str, answers: Answers) -> None:
    """Assert that the right answers earn 1.0 and the wrong ones 0.0, all of them judged."""
    right, wrong = answers
    assert {answer: verdict_of(answer, gold) for answer in right} == dict.fromkeys(right, 1.0)
    assert {answer: verdict_of(answer, gold) for answer in wrong} == dict.fromkeys(wrong, 0.0)


def verdict_of(answer: str, gold: str) -> object:
    """Return the value of an answer, or the status where it has none."""
    verdict = maths.check(reply(answer), gold)
    return verdict.value if verdict.status == "ok" else verdict.status


def reply(answer: str) -> str:
    """Return a reply with this answer; a text that begins with its thinking is a whole reply."""
    return answer if answer.startswith("<think>") else f"<answer>{answer}</answer>"
