"""Verifiers by name: how a row becomes a question, and how a reply to it is judged."""

from .contract import Posed, Verifier
from .names import NAMES, build_verifier, verifier_name

__all__ = ["NAMES", "Posed", "Verifier", "build_verifier", "verifier_name"]
