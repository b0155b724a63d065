"""inspect-ai's logs of the task `medq_deg`, `.eval` or `.json`, read with inspect-ai itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from medq_deg.errors import MedqDegError
from medq_deg.harness.said import Results, Said

LOGS: Final = (".eval", ".json")
TASK: Final = "medq_deg"

_NEUTRAL: Final[Mapping[str, float]] = {"temperature": 1.0, "top_p": 1.0}
_ENDS: Final = {
    "stop": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "refused",
}


def read_inspect(files: Sequence[Path]) -> Results:
    """Read logs of one model; see `medq_deg.harness.imported.import_results`."""
    try:
        import inspect_ai.log  # noqa: F401
    except ModuleNotFoundError:
        raise MedqDegError(
            f"{files[0]}: inspect-ai is not installed, which reads its logs; install it with: pip install "
            "'medq-deg[inspect]'"
        ) from None
    logs = [(path, _header(path)) for path in files]
    path, first = logs[0]
    facts = first.eval.metadata or {}
    for other, log in logs[1:]:
        _check_same(path, first, other, log)
    config = first.plan.config.model_dump(exclude_none=True)
    asked = facts.get("votes")
    if (epochs := first.eval.config.epochs) and not config.get("num_choices"):
        asked = epochs  # --epochs goes before what the task says
    severities = sorted({severity for _, log in logs for severity in (log.eval.metadata or {}).get("severities", ())})
    return Results(
        _said([path for path, _ in logs]),
        {
            "name": "inspect-ai",
            "version": first.eval.packages.get("inspect_ai"),
            "task_version": str(first.eval.task_version),
            "runs": sorted({log.eval.run_id for _, log in logs}),
        },
        model={
            "name": first.eval.model,
            "generation": config,
            **({"arguments": first.eval.model_args} if first.eval.model_args else {}),
        },
        asked=asked,
        severities=severities or None,
        subset=(facts.get("subset") or {}).get("rows"),
        parser=facts.get("parser"),
        sampling=_sampling(config),
        data=facts.get("data") or {},
        date=max(str(log.eval.created)[:10] for _, log in logs),
    )


def _header(path: Path) -> Any:
    from inspect_ai.log import read_eval_log

    if path.suffix.lower() not in LOGS:
        raise MedqDegError(f"{path}: is no log of inspect-ai; allowed: {', '.join(LOGS)}")
    try:
        log = read_eval_log(str(path), header_only=True)
    except Exception as error:  # noqa: BLE001  (whatever a broken zip or JSON makes it raise)
        raise MedqDegError(f"{path}: cannot be read as a log of inspect-ai ({type(error).__name__})") from None
    if log.eval.task.split("/")[-1] != TASK:
        raise MedqDegError(f"{path}: is a log of the task {log.eval.task!r}, not of {TASK}; run medq_deg/medq_deg")
    return log


def _check_same(path: Path, first: Any, other: Path, log: Any) -> None:
    """Raise `MedqDegError` unless two logs are parts of one evaluation of one model."""
    pairs = {
        "model": (first.eval.model, log.eval.model),
        "prompt": tuple((each.eval.metadata or {}).get("prompt") for each in (first, log)),
        "data": tuple(((each.eval.metadata or {}).get("data") or {}).get("version") for each in (first, log)),
        "generation": tuple(each.plan.config.model_dump(exclude_none=True) for each in (first, log)),
    }
    for name, (one, two) in pairs.items():
        if one != two:
            raise MedqDegError(
                f"{other}: its {name} is {two!r}, that of {path} is {one!r}; import the logs of each into a run of its "
                "own"
            )


def _said(files: Sequence[Path]) -> Iterator[Said]:
    """Yield votes, one sample in memory at a time: whole logs with images hold gigabytes."""
    from inspect_ai.log import read_eval_log_samples

    for path in files:
        for sample in read_eval_log_samples(str(path), all_samples_required=False):
            place = f"{path}, sample {sample.id}, epoch {sample.epoch}"
            choices = [] if sample.error is not None else sample.output.choices
            wanted = max(len(choices), 1)
            for number in range(wanted):
                choice = choices[number] if choices else None
                yield Said(
                    place,
                    str(sample.id),
                    None if choice is None else choice.message.text,
                    vote=(sample.epoch - 1) * wanted + number,
                    question=_prompt(sample.input),
                    answer=sample.target if isinstance(sample.target, str) else None,
                    finish=None if choice is None else _ENDS.get(choice.stop_reason, "other"),
                )


def _prompt(messages: Any) -> str:
    return messages if isinstance(messages, str) else "\n".join(message.text for message in messages)


def _sampling(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of the sampling: what inspect-ai was told to send, the provider's own defaults aside."""
    sent = {name: config[name] for name in (*_NEUTRAL, "top_k", "seed") if name in config}
    changed = [f"{name} {sent[name]}" for name, value in _NEUTRAL.items() if sent.get(name, value) != value]
    if changed:
        return {"neutral": False, "sent": sent, "how": f"inspect-ai was told {', '.join(changed)}"}
    return {
        "neutral": "unknown",
        "sent": sent,
        "how": "inspect-ai sends temperature and top_p; the rest is the provider's",
    }
