"""Putting a build on the Hub as a dataset, with card and `eval.yaml`, in one commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import yaml
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, RepositoryNotFoundError

from medq_deg.data.build import MANIFEST, REPORT
from medq_deg.errors import MedqDegError
from medq_deg.files import replace_file
from medq_deg.taxonomy import SEVERITY_NAMES

EVAL = "eval.yaml"


def eval_yaml() -> dict[str, Any]:
    """Return what `eval.yaml` says of the benchmark: a task per severity, with the columns that inspect-ai reads."""
    return {
        "name": "MedQ-Deg",
        "description": "Multiple-choice questions on medical images, clean (L0) and at two severities of degradation; "
        "score: accuracy, the share of sampled answers that are right.",
        "evaluation_framework": "inspect-ai",
        "tasks": [
            {
                "id": f"accuracy_{split.lower()}",
                "config": "default",
                "split": split,
                "field_spec": {"input": "question", "input_image": "image", "choices": "options", "target": "answer"},
                "solvers": [{"name": "multiple_choice"}],
                "scorers": [{"name": "choice"}],
            }
            for split in SEVERITY_NAMES
        ],
    }


def push(folder: Path, repo: str, *, private: bool = False) -> str:
    """Upload a build to a dataset repository, made if it is not there.

    Parameters
    ----------
    folder : Path
        What ``medq-deg build`` wrote.
    repo : str
        ``ORG/NAME``.
    private : bool
        Make a new repository private.

    Returns
    -------
    str
        Address of the commit.

    Raises
    ------
    MedqDegError
        If the folder holds no finished build, or the Hub cannot be reached or refuses. All files go in one commit, so
        the repository shows all of them or none.
    """
    for name in (MANIFEST, "README.md", REPORT):
        if not (folder / name).exists():
            raise MedqDegError(f"{folder}: is no finished build, {name} is missing")
    with replace_file(folder / EVAL) as file:
        file.write(yaml.safe_dump(eval_yaml(), sort_keys=False).encode())
    api = HfApi(library_name="medq-deg")
    try:
        api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        commit = api.upload_folder(
            folder_path=folder,
            repo_id=repo,
            repo_type="dataset",
            allow_patterns=["data/*.parquet", "README.md", MANIFEST, REPORT, EVAL],
            commit_message="Add MedQ-Deg, built by medq-deg",
        )
    except HFValidationError as error:
        raise MedqDegError(f"{repo!r} is no name of a repository, ORG/NAME is wanted: {error}") from None
    except OfflineModeIsEnabled:
        raise MedqDegError(f"{repo}: nothing was sent, HF_HUB_OFFLINE forbids it") from None
    except RepositoryNotFoundError:
        raise MedqDegError(f"{repo}: there is no such repository, or the token may not see it") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no status"
        raise MedqDegError(f"{repo}: the Hub refused ({status}); check the token's right to write there") from None
    except (httpx2.HTTPError, OSError) as error:
        raise MedqDegError(f"{repo}: the Hub cannot be reached ({type(error).__name__})") from None
    return str(commit.commit_url)
