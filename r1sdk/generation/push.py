"""Upload a finished data set or model to a hub when the user asks for it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import R1Error


def push(rows: Path, card: Path, repository: str, public: bool = False) -> str:
    """Upload `rows` and their `card` to the data set `OWNER/NAME`, private unless `public`. Returns its URL.

    Uses the token that `hf auth login` saved, or HF_TOKEN. Raises: R1Error.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    with _hub_errors(repository):
        where = api.create_repo(repository, repo_type="dataset", private=not public, exist_ok=True)
        if not public and not api.dataset_info(where.repo_id).private:  # it existed before
            raise R1Error(f"{repository} exists and is public: confirm with --public, or choose another name")
        for file, name in ((rows, rows.name), (card, "README.md")):
            api.upload_file(
                path_or_fileobj=file, path_in_repo=name, repo_id=where.repo_id, repo_type="dataset",
                commit_message=f"{name} by r1sdk",
            )  # fmt: skip
    return str(where)


def push_model(folder: Path, repository: str) -> str:
    """Upload the model in `folder`, with its card, to the private model `OWNER/NAME`. Returns its URL.

    Raises: R1Error, also where the model exists and is public.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    with _hub_errors(repository):
        where = api.create_repo(repository, private=True, exist_ok=True)
        if not api.model_info(where.repo_id).private:  # it existed before
            raise R1Error(f"{repository} exists and is public: choose another name, or push by hand with hf upload")
        api.upload_folder(folder_path=folder, repo_id=where.repo_id, commit_message="Model by r1sdk")
    return str(where)


def check_push(repository: str) -> None:
    """Check what can be known before the work begins: the name, and that a token is there. Raises: R1Error."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", repository, re.ASCII):
        raise R1Error(f"name the repository as OWNER/NAME, got {repository!r}")
    try:
        from huggingface_hub import constants, get_token
    except ImportError:
        raise R1Error("pushing needs: pip install 'r1sdk[train]'") from None
    if constants.HF_HUB_OFFLINE:
        raise R1Error(f"cannot push to {repository}: HF_HUB_OFFLINE is set; unset it")
    if not get_token():
        raise R1Error(f"cannot push to {repository} without a token: hf auth login, or set HF_TOKEN")


@contextmanager
def _hub_errors(repository: str) -> Iterator[None]:
    """Raises: R1Error in place of what the hub's library raises; no message of its holds the token."""
    try:
        from httpx import HTTPError
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
    except ImportError:
        raise R1Error("pushing needs: pip install 'r1sdk[train]'") from None
    try:
        yield
    except (HfHubHTTPError, HTTPError, HFValidationError, LocalTokenNotFoundError, OSError) as error:
        raise R1Error(f"cannot push to {repository}: {str(error).strip().partition(chr(10))[0]}") from error
