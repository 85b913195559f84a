"""A small run folder for the tests of the report, and a reader of its page."""

from html.parser import HTMLParser

from r1sdk import Completion, Rollout, Score, Task, Verdict
from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.run_folder import RunFolder

ATTACK = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'><style>*{display:none}</style>\x1b[2J\ud800 &amp; {{7*7}} <!--"


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text outside of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.inside = [], "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside = tag if tag in ("script", "style") else self.inside

    def handle_endtag(self, tag):
        self.inside = "" if tag == self.inside else self.inside

    def handle_data(self, data):
        self.text += "" if self.inside else data


def attempt(task, text="<think>\n1+1\n</think>\n<answer>2</answer>", value=0.0, reason="uses 3 twice", finish="stop"):
    asked = Task([{"role": "user", "content": f"Make 3 from 1 and 2 ({task})."}], None, {}, task)
    status = "error" if value is None else "ok"
    verdict = Verdict(value, status, extracted="2", reason="" if value == 1.0 else reason)
    return Rollout(asked, Completion([{"role": "assistant", "content": text}], [1, 2], finish), verdict)


def evaluation(accuracy, n=4, samples=1):
    estimate = {"mean": accuracy, "stderr": 0.1, "n": n}
    return {
        "accuracy": estimate,
        "rewards": {"accuracy": estimate, "format": {"mean": 1.0, "stderr": 0.0, "n": n}},
        "pass_at": {"1": estimate},
        "statuses": {"ok": n},
        "samples": samples,
        "tokens": 20.0,
        "clipped": 0.0,
        "settings": {"temperature": 1.0},
    }


def a_run(path, text="<think>a</think>\n<answer>2</answer>", steps=10, seed=0, reward="accuracy"):
    recipe = load_recipe(None, {"model": "tiny", "env": "countdown", "seed": seed, "rewards": [reward, "format"]})
    folder = RunFolder.create(path, recipe, {"command": ["r1", "train"], "seed": seed, "versions": {"trl": "1.16"}})
    for step in range(1, steps + 1):
        folder.append_metrics(
            {
                "kind": "step",
                "step": step,
                "time": 1.8e9 + step,
                "step_seconds": 1.0,
                "loss": 0.1,
                "reward": step / steps,
                "verdict/mean": step / steps,
                "rewards/accuracy/mean": 0.5,
                "rewards/format/mean": 1.0,
                "entropy": 0.2,
                "completions/mean_length": 30.0,
                "rewards/accuracy/spread_share": 0.9,
                "kl": 0.01,
            }
        )
        score = [Score({"accuracy": 0.0, "format": 1.0}, 1.0)]
        folder.append_rollouts(step, [attempt(f"train/{step}", text)], score)
    folder.append_metrics({"kind": "warning", "step": 9, "name": "flat", "text": "the reward is flat"})
    for name, right in (("before", (0, 0, 1, 1)), ("after", (1, 1, 1, 0))):
        tried = [attempt(f"test/{at}", text, float(value)) for at, value in enumerate(right)]
        folder.append_evaluation(name, tried, [Score({"accuracy": 0.0}, 1.0)] * 4)
        folder.write_evaluation(name, evaluation(sum(right) / 4))
    folder.append_evaluation("during", [attempt("test/0", text)], [Score({"accuracy": 0.0}, 1.0)], step=5)
    folder.set_status("finished", done=steps, total=steps)
    return folder
