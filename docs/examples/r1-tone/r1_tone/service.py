"""A stand-in for the service, to try the reward with: `python -m r1_tone.service --port 8321`.

The score is the share of lines without a no.
"""

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def score(text: str) -> float:
    """The share of lines that do not say no, in [0, 1]."""
    lines = text.splitlines() or [""]
    return sum("no" not in line.split() for line in lines) / len(lines)


class Handler(BaseHTTPRequestHandler):
    """Answers POST with the score of the text that it is sent."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"score": score(asked["text"])}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8321)
    ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler).serve_forever()


if __name__ == "__main__":
    main()
