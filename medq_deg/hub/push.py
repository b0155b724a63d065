"""Putting a build on the Hub as a dataset, with card and `eval.yaml`, in one commit."""

from __future__ import annotations

from pathlib import Path

import yaml
from huggingface_hub import HfApi

from medq_deg.data.build import REPORT
from medq_deg.data.card import INFO, complete_card
from medq_deg.data.schema import MANIFEST
from medq_deg.errors import MedqDegError
from medq_deg.files import replace_file
from medq_deg.hub.data_uris import CONFIG, write_data_uris
from medq_deg.hub.entries import eval_yaml
from medq_deg.hub.refusals import hub_errors

EVAL = "eval.yaml"


def push(folder: Path, repo: str, *, private: bool = False) -> str:
    """Upload a build to a dataset repository, made if it is not there.

    With the shards go the card, whose head tells `datasets` and the Hub's viewer of features, splits and files, and
    `dataset_infos.json` with licence and citation, so that ``load_dataset(repo, split="L2")`` works; and `eval.yaml`
    with a second configuration, images as data URIs, from which inspect-ai runs ``hf/ORG/NAME``.

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
    complete(folder)
    api = HfApi(library_name="medq-deg")
    with hub_errors(repo):
        api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        commit = api.upload_folder(
            folder_path=folder,
            repo_id=repo,
            repo_type="dataset",
            allow_patterns=["data/*.parquet", f"{CONFIG}/*.parquet", "README.md", MANIFEST, REPORT, EVAL, INFO],
            commit_message="Add MedQ-Deg, built by medq-deg",
        )
    return str(commit.commit_url)


def complete(folder: Path) -> None:
    """Make what a dataset on the Hub has beside a build: the head of its card, `eval.yaml`, and images as data URIs.

    Raises
    ------
    MedqDegError
        If the folder holds no finished build.
    """
    for name in (MANIFEST, "README.md", REPORT):
        if not (folder / name).exists():
            raise MedqDegError(f"{folder}: is no finished build, {name} is missing")
    write_data_uris(folder)
    complete_card(folder / "README.md", {CONFIG: CONFIG})
    with replace_file(folder / EVAL) as file:
        file.write(yaml.safe_dump(eval_yaml(), sort_keys=False).encode())
