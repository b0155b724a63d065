"""The albumentations transform: composing, replaying, serialising, moving targets, data loaders."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from medq_deg import Degrade, degrade
from medq_deg.errors import MedqDegError, UnknownNameError
from medq_deg.taxonomy import DEGRADATION_NAMES

A = pytest.importorskip("albumentations")


@pytest.mark.parametrize("name", DEGRADATION_NAMES)
def test_every_type_composes_with_other_transforms(name: str, histology: NDArray[np.uint8]) -> None:
    pipeline = A.Compose([A.HorizontalFlip(p=1), Degrade(name, severity=2), A.Resize(64, 80)], seed=3)
    assert pipeline(image=histology)["image"].shape == (64, 80, 3)


def test_the_seed_of_the_composition_decides(histology: NDArray[np.uint8]) -> None:
    def run(seed: int) -> list[bytes]:
        pipeline = A.Compose([Degrade("gaussian_noise", 2)], seed=seed)
        return [pipeline(image=histology)["image"].tobytes() for _ in range(3)]

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert len(set(run(1))) == 3, "each image gets noise of its own"


def test_replay_gives_the_same_bytes(histology: NDArray[np.uint8]) -> None:
    pipeline = A.ReplayCompose([Degrade("blood_cell", 2)])
    first = pipeline(image=histology)
    assert np.array_equal(A.ReplayCompose.replay(first["replay"], image=histology)["image"], first["image"])


def test_serialisation_keeps_every_argument(histology: NDArray[np.uint8]) -> None:
    transform = Degrade(
        "motion_blur", "severe", modality="X-ray", rounding="truncate", parameters={"length": 0.1}, p=0.5
    )
    pipeline = A.from_dict(json.loads(json.dumps(A.to_dict(A.Compose([transform], seed=5)))))
    copy = pipeline.transforms[0]
    for name in ("name", "severity", "modality", "rounding", "keep_marking", "parameters", "p"):
        assert getattr(copy, name) == getattr(transform, name)


def test_p_0_leaves_the_image_alone(histology: NDArray[np.uint8]) -> None:
    assert np.array_equal(A.Compose([Degrade("bubble", 2, p=0.0)])(image=histology)["image"], histology)


def targets(name: str) -> dict[str, object]:
    image = np.zeros((100, 160, 3), np.uint8)
    image[20:40, 30:80] = 255
    mask = (image[..., 0] > 0).astype(np.uint8) * 7
    pipeline = A.Compose(
        [Degrade(name, 2)],
        bbox_params=A.BboxParams("pascal_voc", label_fields=["labels"]),
        keypoint_params=A.KeypointParams("xy"),
        seed=8,
    )
    return {
        "before": mask,
        **pipeline(image=image, mask=mask, bboxes=[[30, 20, 80, 40]], labels=[1], keypoints=[(55.0, 30.0)]),
    }


@pytest.mark.parametrize("name", ["bubble", "object_movement", "sparse_view"])
def test_masks_boxes_and_points_are_left_alone(name: str) -> None:
    result = targets(name)
    assert np.array_equal(result["mask"], result["before"])
    assert result["bboxes"] == pytest.approx(np.array([[30, 20, 80, 40]]))
    assert result["keypoints"] == pytest.approx(np.array([[55, 30]]))


def test_a_rotation_moves_mask_box_and_point_with_the_image() -> None:
    result = targets("object_rotation")
    mask = result["mask"]
    assert set(np.unique(mask)) == {0, 7}
    bright = result["image"][..., 0] > 127
    overlap = (bright & (mask > 0)).sum() / (bright | (mask > 0)).sum()
    assert overlap > 0.95
    rows, columns = np.nonzero(mask)
    box = result["bboxes"][0]
    # The upright box around the turned one, up to a pixel and the image's edge.
    assert box == pytest.approx([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], abs=2.5)
    assert result["keypoints"][0] == pytest.approx([columns.mean(), rows.mean()], abs=1.5)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_a_mask_keeps_its_type_and_shape(dtype: type) -> None:
    mask = np.zeros((64, 80, 1), dtype)
    mask[20:40, 30:60] = 1
    pipeline = A.Compose([Degrade("object_rotation", 1)], seed=1)
    result = pipeline(image=np.zeros((64, 80, 3), np.uint8), mask=mask)["mask"]
    assert result.dtype == mask.dtype
    assert result.shape == mask.shape
    assert set(np.unique(result)) == {0, 1}


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.float16, np.uint32, np.int64, np.uint64, np.float64])
def test_a_mask_s_values_are_moved_and_never_changed(dtype: type) -> None:
    limits = np.iinfo(dtype) if np.issubdtype(dtype, np.integer) else np.finfo(dtype)
    values = np.array([0, 1, 3, limits.min, limits.max, limits.max - limits.max // 3], dtype)
    mask = np.random.default_rng(0).choice(values, (96, 128))
    turned = A.Compose([Degrade("object_rotation", 2)], seed=1)(image=np.zeros((96, 128), np.uint8), mask=mask)["mask"]
    assert not np.array_equal(turned, mask)
    assert set(np.unique(turned)) == set(values)


def test_severity_0_moves_nothing() -> None:
    pipeline = A.Compose([Degrade("object_rotation", 0)])
    mask = np.eye(64, dtype=np.uint8)
    assert np.array_equal(pipeline(image=mask, mask=mask)["mask"], mask)


def test_a_bad_argument_is_refused_when_the_transform_is_made() -> None:
    with pytest.raises(UnknownNameError, match="unknown degradation 'fog'"):
        Degrade("fog", 1)


def test_the_transform_s_image_is_that_of_degrade(ct: NDArray[np.uint8]) -> None:
    transform = Degrade("low_dose", 1)
    assert np.array_equal(transform.apply(ct, seed=77), degrade(ct, "low_dose", 1, 77))


class Scans:
    """A map-style dataset for torch's DataLoader."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.image = image

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return degrade(self.image, "undersampling", 2, seed=index)


def test_data_loader_workers_give_the_same_bytes_as_one_process(mri: NDArray[np.uint8]) -> None:
    data = pytest.importorskip("torch.utils.data")
    made = [
        [batch.numpy().tobytes() for batch in data.DataLoader(Scans(mri), batch_size=2, num_workers=workers)]
        for workers in (0, 2)
    ]
    assert made[0] == made[1]


def test_the_transform_works_in_data_loader_workers(mri: NDArray[np.uint8]) -> None:
    data = pytest.importorskip("torch.utils.data")
    pipeline = A.Compose([Degrade("ghosting", 1), Degrade("gaussian_noise", 1)], seed=1)

    class Augmented(Scans):
        def __getitem__(self, index: int) -> NDArray[np.uint8]:
            return np.asarray(pipeline(image=self.image)["image"])

    made = np.concatenate([b.numpy() for b in data.DataLoader(Augmented(mri), batch_size=2, num_workers=2)])
    assert made.shape == (8, *mri.shape)
    assert len({image.tobytes() for image in made}) > 1


class Noisy:
    """A dataset whose items carry what was drawn for them."""

    def __init__(self) -> None:
        self.pipeline = A.Compose([Degrade("gaussian_noise", (1, 2)), Degrade("gaussian_noise", 1)], seed=5)

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return np.asarray(self.pipeline(image=np.full((32, 32), 128, np.uint8))["image"])


def epochs(method: str, seed: int, *, persistent: bool = False, number: int = 2) -> list[bytes]:
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    loader = torch.utils.data.DataLoader(
        Noisy(), batch_size=1, num_workers=2, multiprocessing_context=method, persistent_workers=persistent
    )
    return [batch.numpy().tobytes() for _ in range(number) for batch in loader]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "persistent"), [("fork", False), ("spawn", True)])
def test_two_workers_and_two_epochs_never_repeat_and_one_seed_repeats_all(method: str, persistent: bool) -> None:
    first = epochs(method, 1, persistent=persistent)
    assert len(set(first)) == len(first) == 12
    assert epochs(method, 1, persistent=persistent) == first
    assert not set(epochs(method, 2, persistent=persistent, number=1)) & set(first)


def test_a_type_and_a_level_are_drawn_for_each_image(mri: NDArray[np.uint8]) -> None:
    transform = Degrade(["gaussian_noise", "Motion blur", "ghosting"], severity=("mild", 2), modality="MRI", seed=3)
    drawn = [transform.get_params() for _ in range(60)]
    pairs = {(params["name"], params["severity"]) for params in drawn}
    assert pairs == {(name, s) for name in ("gaussian_noise", "motion_blur", "ghosting") for s in (1, 2)}
    assert Degrade("ghosting", 1, seed=3).get_params()["seed"] == Degrade("ghosting", 1, seed=3).get_params()["seed"]
    params = drawn[0]
    expected = degrade(mri, params["name"], params["severity"], params["seed"], modality="MRI")
    assert np.array_equal(transform.apply(mri, **params), expected)


def test_a_mask_turns_only_where_a_rotation_was_drawn() -> None:
    pipeline = A.Compose([Degrade(["object_rotation", "gaussian_noise"], 2)], seed=1)
    mask = np.zeros((64, 80), np.uint8)
    mask[10:20, 10:70] = 1
    turned = [not np.array_equal(pipeline(image=mask * 200, mask=mask)["mask"], mask) for _ in range(20)]
    assert 0 < sum(turned) < 20


def test_floats_go_through_with_a_value_range(mri: NDArray[np.uint8]) -> None:
    pipeline = A.Compose([Degrade("ghosting", 1, value_range=(0, 1))], seed=1)
    result = pipeline(image=(mri / 255).astype(np.float32))["image"]
    assert result.dtype == np.float32
    assert result.max() <= 1


@pytest.mark.parametrize(("arguments", "problem"), [
    (([], 1), "name must be one or several"),
    (("ghosting", ()), "severity must be one or several"),
    ((["ghosting", "bubble"], 1, None, "nearest", False, None, None, {"rim": 0.1}), "parameters are of a single type"),
    (("ghosting", 1, None, "nearest", False, None, None, None, -1), "seed must be"),
])  # fmt: skip
def test_choices_that_make_no_sense_are_refused(arguments: tuple[object, ...], problem: str) -> None:
    with pytest.raises(MedqDegError, match=problem):
        Degrade(*arguments)


@pytest.mark.parametrize("kind", [bool, np.int8, np.uint16, np.int64, np.uint64, np.float64])
@pytest.mark.parametrize("shape", [(96, 128), (96, 128, 1), (96, 128, 6)])
def test_a_rotation_keeps_every_label_of_a_mask_as_it_is(kind: type, shape: tuple[int, ...]) -> None:
    largest = True if kind is bool else np.finfo(kind).max if kind is np.float64 else np.iinfo(kind).max
    mask = np.zeros(shape, kind)
    mask[20:60, 30:90] = largest
    turned = A.Compose([Degrade("object_rotation", 2)], seed=1)(image=np.zeros((96, 128), np.uint8), mask=mask)["mask"]
    assert turned.dtype == mask.dtype
    assert turned.shape == mask.shape
    assert set(np.unique(turned)) == {kind(0), kind(largest)}
