"""A metric as a user may have one: something to combine ours with."""

import datasets
import evaluate


class VoteAccuracy(evaluate.Metric):
    def _info(self):
        features = {"predictions": datasets.Sequence(datasets.Value("string")), "references": datasets.Value("string")}
        return evaluate.MetricInfo(
            description="Share of right votes.", citation="", features=datasets.Features(features)
        )

    def _compute(self, predictions, references):
        right = [vote == truth for row, truth in zip(predictions, references) for vote in row]  # noqa: B905
        return {"vote_accuracy": sum(right) / len(right)}
