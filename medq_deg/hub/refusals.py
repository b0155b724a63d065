"""What the Hub's errors mean to a user: one clear line each, without anything that could hold a token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx2
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, RepositoryNotFoundError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from medq_deg.errors import MedqDegError

_ADVICE = {
    HTTPStatus.UNAUTHORIZED: "log in with `hf auth login`, or set HF_TOKEN",
    HTTPStatus.FORBIDDEN: "check the token's right to write there",
    HTTPStatus.CONFLICT: "the repository changed meanwhile; start again",
    HTTPStatus.PRECONDITION_FAILED: "the repository changed meanwhile; start again",
    HTTPStatus.TOO_MANY_REQUESTS: "too many requests; wait a while and start again",
}
_OURS = "check the token's right to write there, and what is sent"
_THEIRS = "the Hub has a fault; start again later"


def check_repo(repo: str) -> None:
    """Raise `MedqDegError` unless `repo` has the form ORG/NAME."""
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise _not_a_name(repo, error) from None
    if "/" not in repo:
        raise _not_a_name(repo, "it has no ORG")


@contextmanager
def hub_errors(repo: str) -> Iterator[None]:
    """Turn every error of the Hub or the way to it into a `MedqDegError` that names `repo`.

    The Hub's own message is left out: it may repeat what was sent to it.
    """
    try:
        yield
    except HFValidationError as error:
        raise _not_a_name(repo, error) from None
    except OfflineModeIsEnabled:
        raise MedqDegError(f"{repo}: nothing was sent, HF_HUB_OFFLINE forbids it") from None
    except RepositoryNotFoundError:
        raise MedqDegError(f"{repo}: there is no such repository, or the token may not see it") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        advice = _ADVICE.get(HTTPStatus(status)) if status in HTTPStatus._value2member_map_ else None
        advice = advice or (_THEIRS if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _OURS)
        raise MedqDegError(f"{repo}: the Hub refused ({status or 'no status'}); {advice}") from None
    except (httpx2.HTTPError, OSError) as error:
        raise MedqDegError(f"{repo}: the Hub cannot be reached ({type(error).__name__})") from None


def _not_a_name(repo: str, why: object) -> MedqDegError:
    return MedqDegError(f"{repo!r} is no name of a repository, ORG/NAME is wanted: {why}")
