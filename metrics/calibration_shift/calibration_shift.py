"""The Calibration Shift of MedQ-Deg as a module for `evaluate`; `medq_deg.metrics` computes everything."""

import datasets
import evaluate

# Each import on one line: evaluate reads this file line by line to see what it needs.
from medq_deg.metrics import calibration_shift
from medq_deg.metrics.columns import OPTIONAL, pack, unpack

_DESCRIPTION = """
Accuracy, confidence and their difference, the Calibration Shift, from several sampled answers to each
multiple-choice question; with corrections for few samples, pairwise agreement, ECE, Brier score, AUROC, AURC, AUGRC,
cluster bootstrap intervals, and the Dunning-Kruger rule and verdict when rows have severities.
"""

_CITATION = """
@article{medqdeg,
  title={MedQ-Deg},
  journal={arXiv preprint arXiv:2603.07769},
  year={2026}
}
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions (list of lists of str): the sampled answers of each row, letters from "A"; None or "" is an
        answer that could not be parsed. With the configuration "probabilities": lists of floats, one for each
        option.
    references (list of str): the letter of the right option of each row.
    num_choices (list of int, or int): how many options each row has.
    groups (list of str, optional): the question that each row comes from, the cluster of the bootstrap.
    severities (list, optional): 0, 1 or 2, or "L0", "L1", "L2", for each row; adds `by_severity` and `dunning_kruger`.
    invalid (str): "wrong" (default) or "drop": whether answers that could not be parsed count as wrong.
    confidence_level (float, optional): level of the intervals; without it there are none.
    n_resamples (int): resamples of the bootstrap, 1000 by default.
    seed (int): start of its random numbers, 0 by default.
Returns:
    dict of plain numbers, see `medq_deg.metrics.calibration_shift`.
Examples:
    >>> metric = evaluate.load("calibration_shift")
    >>> votes = [["A"] * 10, ["B"] * 5 + ["C"] * 5]
    >>> result = metric.compute(predictions=votes, references=["A", "B"], num_choices=[4, 4])
    >>> result["accuracy"], result["confidence"], result["calibration_shift"]
    (0.75, 0.75, 0.0)
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class CalibrationShift(evaluate.Metric):
    """A thin layer over `medq_deg.metrics.calibration_shift`; groups and severities may be left out."""

    def _info(self):
        sort_of_prediction = {"default": "string", "probabilities": "float64"}
        if self.config_name not in sort_of_prediction:
            raise ValueError(f"config_name must be 'default' or 'probabilities', got {self.config_name!r}.")
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features(
                {
                    "predictions": datasets.Sequence(datasets.Value(sort_of_prediction[self.config_name])),
                    "references": datasets.Value("string"),
                    "num_choices": datasets.Value("int64"),
                    "groups": datasets.Value("string"),
                    "severities": datasets.Value("int64"),
                }
            ),
            license="Apache-2.0",
            reference_urls=["https://arxiv.org/abs/2603.07769"],
        )

    def compute(self, *, predictions=None, references=None, **kwargs):
        """Compute the figures of the given rows, or of those added before."""
        if predictions is not None or references is not None:
            kwargs = dict.fromkeys(("num_choices", *OPTIONAL)) | kwargs
        return super().compute(predictions=predictions, references=references, **kwargs)

    def add_batch(self, *, predictions=None, references=None, **kwargs):
        """Add rows; `groups` and `severities` may be left out in all batches."""
        super().add_batch(**pack({"predictions": predictions, "references": references} | kwargs))

    def add(self, *, prediction=None, reference=None, **kwargs):
        """Add one row: `prediction` holds its votes; the other names are those of `add_batch`."""
        row = {"predictions": prediction, "references": reference} | kwargs
        self.add_batch(**{name: None if value is None else [value] for name, value in row.items()})

    def _compute(self, predictions, references, num_choices, groups, severities, **settings):
        groups, severities = unpack(groups, severities)
        exact = self.config_name == "probabilities"
        return calibration_shift(
            None if exact else predictions,
            references,
            num_choices,
            groups,
            severities,
            probabilities=predictions if exact else None,
            **settings,
        )
