"""Upload a finished data set to a hub when the user asks for it."""

from pathlib import Path

from ..errors import R1Error


def push(rows: Path, card: Path, repository: str, public: bool = False) -> str:
    """Upload `rows` and their `card` to the data set `OWNER/NAME`, private unless `public`. Returns its URL.

    Uses the token that `hf auth login` saved, or HF_TOKEN. Raises: R1Error.
    """
    try:
        from httpx import HTTPError
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
    except ImportError:
        raise R1Error("pushing needs: pip install 'r1sdk[train]'") from None
    api = HfApi()
    try:
        where = api.create_repo(repository, repo_type="dataset", private=not public, exist_ok=True)
        if not public and not api.dataset_info(where.repo_id).private:  # it existed before
            raise R1Error(f"{repository} exists and is public: confirm with --public, or choose another name")
        for file, name in ((rows, rows.name), (card, "README.md")):
            api.upload_file(
                path_or_fileobj=file, path_in_repo=name, repo_id=where.repo_id, repo_type="dataset",
                commit_message=f"{name} by r1sdk",
            )  # fmt: skip
    except (HfHubHTTPError, HTTPError, HFValidationError, LocalTokenNotFoundError, OSError) as error:
        raise R1Error(f"cannot push to {repository}: {str(error).strip().partition(chr(10))[0]}") from error
    return str(where)
