"""Offering the results of a run to the Hub: figures to a model's repository, or answers to a dataset of results.

`prepare` and `prepare_results` check the run and say what would change; `send` opens one pull request with one commit,
so the repository gets all of it or nothing. What may be submitted is for `medq_deg.results.ranking` to say.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from huggingface_hub import CommitOperationAdd, HfApi, get_token
from huggingface_hub.errors import RemoteEntryNotFoundError

import medq_deg
from medq_deg.data.schema import TOLD_COLUMNS
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.checks import check_run
from medq_deg.evaluation.store import ANSWERS, ROWS, RUN, RunFolder
from medq_deg.hub.entries import PATH, make_entries, merge, values
from medq_deg.hub.refusals import check_repo, hub_errors
from medq_deg.models.published import published_models
from medq_deg.results.parts import parts_of
from medq_deg.results.ranking import Asked, asked_of, findings
from medq_deg.results.score import METRICS, score_run

RESULTS: Final = "results"
"""Folder of a results dataset; each submission has a folder of its own in it, so that two never conflict."""

LEADERBOARD: Final = "leaderboard.json"
"""The file of a submission that the leaderboard reads."""

_SECRET = re.compile(r"\bhf_[A-Za-z0-9]{16,}|\bsk-[A-Za-z0-9_-]{20,}|://[^/\s\"@:]*:[^/\s\"@]+@")
_SECRET_VARIABLE = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")
_SECRET_LENGTH = 8


@dataclass(frozen=True)
class Submission:
    """What would be sent.

    Attributes
    ----------
    repo, repo_type : str
        Where to, ORG/NAME and "model" or "dataset".
    title : str
        Of the pull request.
    files : mapping from str to bytes
        By path in the repository; the first is the one that `current` is compared with.
    current : str, optional
        What the first file holds on the Hub; None where it is not there, or was not asked for.
    commit : str, optional
        The commit of the repository that was looked at; None after a dry run.
    diff : str
        What would change; empty if nothing would.
    """

    repo: str
    repo_type: str
    title: str
    files: Mapping[str, bytes]
    current: str | None
    commit: str | None
    diff: str

    @property
    def path(self) -> str:
        """Path of the first file."""
        return next(iter(self.files))

    @property
    def text(self) -> str:
        """Text of the first file."""
        return self.files[self.path].decode()


def prepare(run: Path, repo: str, dataset: str, *, source: str | None = None, dry_run: bool = False) -> Submission:
    """Make the evaluation results of a run, for the repository of its model.

    Parameters
    ----------
    run : Path
        Folder of the run. Its `metrics.json` is made anew.
    repo : str
        The model's repository, ORG/MODEL.
    dataset : str
        The benchmark's dataset on the Hub, ORG/NAME.
    source : str, optional
        Address, http or https, of the answers or whatever else the figures come from.
    dry_run : bool
        Ask the Hub nothing, and compare with an empty file.

    Raises
    ------
    MedqDegError
        If the run cannot be submitted, or the Hub cannot be read. Results of other datasets stay.
    """
    check_repo(repo)
    check_repo(dataset)
    if source is not None and not re.fullmatch(r"https?://[^\s/]+\S*", source):
        raise MedqDegError(f"the source must be an address such as https://example.org/answers, got {source!r}")
    _check(run)
    facts = provenance(RunFolder(run).read_run(), dataset)
    entries = make_entries(score_run(run), dataset, source=source, **facts)
    commit, current = (None, None) if dry_run else _read(repo, "model", PATH)
    text = merge(current, entries)
    lines = difflib.unified_diff(
        (current or "").splitlines(), text.splitlines(), f"{repo}/{PATH} on the Hub", f"{repo}/{PATH}", lineterm=""
    )
    files = {PATH: text.encode()}
    _refuse_secrets(files)
    return Submission(repo, "model", "Add MedQ-Deg evaluation results", files, current, commit, "\n".join(lines))


def provenance(run: Mapping[str, Any], dataset: str) -> dict[str, str]:
    """Return what a run knows of when it was made and of which commit of a dataset.

    Parameters
    ----------
    run : mapping
        What `run.json` holds.
    dataset : str
        The benchmark's dataset on the Hub, ORG/NAME.

    Returns
    -------
    dict
        ``date``: day of its last start, or that of the files that it was imported from; ``revision``: the commit, if
        the data was read from that dataset and all starts read the same. Each only where it is known.
    """
    starts = [run["environment"], *(run.get("later_environments") or [])]
    dates = (
        [run["imported"].get("date")] if run.get("imported") is not None else [start.get("date") for start in starts]
    )
    revisions = {start.get("data_revision") for start in starts}
    known = {"date": max(filter(None, dates), default=None)}
    if run["settings"]["data"].get("name") == dataset and len(revisions) == 1:
        known["revision"] = revisions.pop()
    return {name: value for name, value in known.items() if value}


def prepare_results(run: Path, repo: str, *, dry_run: bool = False) -> Submission:
    """Make a row of a results dataset: a folder with settings, rows, answers, figures and the leaderboard's entry.

    Parameters
    ----------
    run : Path
        Folder of the run. Its `metrics.json` is made anew.
    repo : str
        The results dataset, ORG/NAME.
    dry_run : bool
        Ask the Hub nothing.

    Raises
    ------
    MedqDegError
        If the run cannot be submitted, holds what looks like a secret, is in the dataset already, or the Hub cannot be
        read.
    """
    check_repo(repo)
    settings, rows, answers = _check(run)
    result = score_run(run)
    public = [
        {**{name: row[name] for name in ("id", *TOLD_COLUMNS)}, "num_choices": len(row["options"])} for row in rows
    ]
    said = _lines(answers[row["id"]] for row in rows)
    digest = hashlib.sha256(_json(settings) + said).hexdigest()
    asked = asked_of(settings, rows, 0, result["sampling"])
    entry = leaderboard_entry(result, [{**row, **answers[row["id"]]} for row in public], asked, digest)
    folder = f"{RESULTS}/{safe_name(settings['model']['name'])}-{digest[:8]}"
    files = {
        f"{folder}/{LEADERBOARD}": _json(entry),
        f"{folder}/{RUN}": _json(RunFolder(run).read_run()),
        f"{folder}/{METRICS}": _json(result),
        f"{folder}/{ROWS}": _lines(public),
        f"{folder}/{ANSWERS}": said,
    }
    _refuse_secrets(files)
    commit, current = (None, None) if dry_run else _read(repo, "dataset", next(iter(files)))
    if current is not None:
        raise MedqDegError(f"{repo}: holds this run already, in {folder}")
    told = [f"+ {path} ({len(content):,} bytes)" for path, content in files.items()]
    told += [f"    {task}: {value:.2f} %" for task, value in entry["values"].items()]
    for finding in findings(asked):
        told.append(f"{'A leaderboard will not rank it' if finding.unranked else 'Said beside it'}: {finding.text}.")
    title = f"Add MedQ-Deg results of {' '.join(str(settings['model']['name']).split())[:100]}"
    return Submission(repo, "dataset", title, files, current, commit, "\n".join(told))


def send(submission: Submission) -> str:
    """Open a pull request with the files of a submission, in one commit; return its address.

    Raises
    ------
    MedqDegError
        If there is no token, the repository changed since the submission was prepared, or the Hub refuses or cannot be
        reached. Nothing is there then.
    """
    if submission.commit is None:
        raise MedqDegError(f"{submission.repo}: a dry run cannot be sent")
    if not get_token():
        raise MedqDegError(f"{submission.repo}: no token; log in with `hf auth login`, or set HF_TOKEN")
    commit, current = _read(submission.repo, submission.repo_type, submission.path)
    if current != submission.current:
        raise MedqDegError(
            f"{submission.repo}: {submission.path} changed meanwhile; nothing was sent, start again to see what is new"
        )
    with hub_errors(submission.repo):
        sent = _api().create_commit(
            submission.repo,
            [CommitOperationAdd(path, content) for path, content in submission.files.items()],
            commit_message=submission.title,
            commit_description=f"Made by `medq-deg submit`, medq-deg {medq_deg.__version__}.",
            repo_type=submission.repo_type,
            parent_commit=commit,
            create_pr=True,
        )
    return str(sent.pr_url)


def leaderboard_entry(
    result: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], asked: Asked, digest: str
) -> dict[str, Any]:
    """Return what a leaderboard shows of a run.

    Parameters
    ----------
    result : mapping
        What `score_run` returned.
    rows : sequence of mappings
        Rows joined with their answers.
    asked : Asked
        What was asked and how: decides whether a leaderboard ranks the run.
    digest : str
        SHA-256 of settings and answers.

    Returns
    -------
    dict
        `values` has the figures in percent; `asked`, `cells` and `categories` are those of
        `medq_deg.results.ranking.Asked` and `medq_deg.results.parts.Parts`, as fractions.
    """
    model = result["model"]
    source: Any = "probabilities" if model.get("votes") == "exact" else "votes"
    known = _published(model["name"])
    parameters = model.get("parameters")
    return {
        "model": model["name"],
        "group": known.group if known else "other",
        "parameters_billion": parameters / 1e9 if parameters else (known.parameters_billion if known else None),
        "fingerprint": digest,
        "data": result["data"],
        "votes": model.get("votes", "sampled"),
        "trials": result["trials"],
        "values": values(result),
        "asked": asked.as_json(),
        **parts_of(rows, source).as_json(),
    }


def safe_name(name: str) -> str:
    """Return a model's name as part of a path: letters, digits, ".", "_" and "-" alone.

    Examples
    --------
    >>> safe_name('org/"my" model 🩻')
    'org-my-model'
    """
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")[:80] or "model"


def _check(run: Path) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return settings, rows and answers of a run, or raise `MedqDegError` that says why it cannot be submitted."""
    held, rows, answers = RunFolder(run).read()
    settings = held["settings"]
    if not rows:
        raise MedqDegError(f"{run}: the run has no rows")
    open_rows = [row for row in rows if row["id"] not in answers]
    # The name of the data is the user's; the rows say where they come from, and `check_run` that they are the ones that
    # were asked.
    asked = asked_of(settings, [row for row in rows if row["id"] in answers], len(open_rows), {})
    if refused := [finding.text for finding in findings(asked) if finding.refused]:
        advice = "; finish the run with the `medq-deg evaluate` command that began it" if open_rows else ""
        raise MedqDegError(f"{run}: cannot be submitted: {'; '.join(refused)}{advice}")
    if problems := check_run(run, held, rows, answers):
        raise MedqDegError(f"{run}: does not fit together. {' '.join(problems)}")
    return dict(settings), rows, answers


def _read(repo: str, repo_type: str, path: str) -> tuple[str, str | None]:
    """Return the newest commit of a repository, and the text of a file in it or None."""
    api = _api()
    with hub_errors(repo):
        commit = str(api.repo_info(repo, repo_type=repo_type).sha)
        try:
            held = Path(api.hf_hub_download(repo, path, repo_type=repo_type, revision=commit))
        except RemoteEntryNotFoundError:
            return commit, None
    try:
        return commit, held.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise MedqDegError(f"{repo}: {path} on the Hub is no text; repair it there first") from None


def _refuse_secrets(files: Mapping[str, bytes]) -> None:
    """Raise `MedqDegError` if a file holds a token: by its looks, or because this environment holds the same."""
    held = {name: value for name, value in os.environ.items() if _SECRET_VARIABLE.search(name.upper())}
    held["the Hub's token"] = get_token() or ""
    for path, content in files.items():
        text = content.decode()
        for name, value in held.items():
            if len(value) >= _SECRET_LENGTH and value in text:
                raise MedqDegError(f"{path} holds the value of {name}; nothing was sent")
        if _SECRET.search(text):
            raise MedqDegError(f"{path} holds what looks like a token or a password; nothing was sent")


def _published(name: str) -> Any:
    folded = str(name).casefold()
    for model in published_models():
        if folded in {each.casefold() for each in (model.name, model.hub_id, model.api_name) if each}:
            return model
    return None


def _api() -> HfApi:
    return HfApi(library_name="medq-deg", library_version=medq_deg.__version__)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, allow_nan=False).encode() + b"\n"


def _lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n" for record in records)
