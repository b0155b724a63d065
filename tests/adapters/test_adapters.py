"""PyTorch, MONAI and TorchIO: the same images as `degrade`, channel first."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from medq_deg import degrade
from medq_deg.adapters.channels import Choice, degrade_channels
from medq_deg.errors import ImageError, MedqDegError

torch = pytest.importorskip("torch")


def test_a_tensor_comes_back_as_degrade_makes_it(histology: NDArray[np.uint8], mri: NDArray[np.uint8]) -> None:
    colour = torch.from_numpy(histology.transpose(2, 0, 1) / 255)
    result = degrade_channels(colour, "bubble", 2, 3)
    assert (result.shape, result.dtype) == (colour.shape, colour.dtype)
    assert np.abs(result.numpy().transpose(1, 2, 0) * 255 - degrade(histology, "bubble", 2, 3)).max() < 0.51
    volume = np.stack([mri[:64, :80], mri[64:128, :80]], axis=-1)[None].astype(np.float16)
    result = degrade_channels(volume, "ghosting", 1, 3, value_range=(0, 255))
    assert result.dtype == np.float16
    for z in range(2):
        assert np.abs(result[0, ..., z] - degrade(volume[0, ..., z].astype(np.uint8), "ghosting", 1, 3)).max() < 0.6


def test_slices_share_all_but_noise_and_x_first_is_turned() -> None:
    volume = np.full((1, 40, 48, 3), 100, np.float32)
    noisy = degrade_channels(volume, "gaussian_noise", 1, 1, value_range=(0, 255))
    assert len({noisy[..., z].tobytes() for z in range(3)}) == 3
    still = degrade_channels(volume, "bias_field", 1, 1, value_range=(0, 255))
    assert len({still[..., z].tobytes() for z in range(3)}) == 1
    turned = degrade_channels(volume.swapaxes(1, 2), "bias_field", 1, 1, value_range=(0, 255), order="wh")
    assert np.array_equal(turned, still.swapaxes(1, 2))


def test_a_pytorch_module_follows_the_manual_seed() -> None:
    from medq_deg.adapters.pytorch import DegradeTensor

    transform = torch.nn.Sequential(DegradeTensor(["gaussian_noise", "motion_blur"], (1, 2)))
    image = torch.rand(3, 64, 48)
    results = []
    for _ in range(2):
        torch.manual_seed(4)
        results.append(torch.stack([transform(image) for _ in range(3)]))
    assert torch.equal(*results)
    assert not torch.equal(results[0][0], results[0][1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_tensor_on_a_gpu_is_returned_there() -> None:
    result = degrade_channels(torch.rand(1, 64, 48, device="cuda"), "ghosting", 1)
    assert result.device.type == "cuda"


def test_monai_transforms_draw_from_their_own_state() -> None:
    monai = pytest.importorskip("monai.transforms")
    from medq_deg.adapters.monai import RandDegrade, RandDegraded

    image = torch.rand(1, 64, 48)
    one, two = (RandDegrade("gaussian_noise", 1).set_random_state(3) for _ in range(2))
    first = one(image)
    assert torch.equal(first, two(image))
    assert not torch.equal(first, one(image))
    assert torch.equal(RandDegrade("gaussian_noise", 1, prob=0.0)(image), image)
    pipeline = monai.Compose([RandDegraded(["scan"], "ghosting", 2), monai.RandFlipd(["scan", "label"], prob=0.0)])
    result = pipeline.set_random_state(1)({"scan": image, "label": torch.ones(1, 64, 48)})
    assert torch.equal(torch.as_tensor(result["label"]), torch.ones(1, 64, 48))
    assert not torch.equal(torch.as_tensor(result["scan"]), image)
    meta = monai.EnsureChannelFirst(channel_dim="no_channel")(np.zeros((64, 48), np.float32))
    assert RandDegrade("bias_field", 1)(meta).meta == meta.meta


def test_torchio_degrades_scalar_images_and_leaves_labels() -> None:
    torchio = pytest.importorskip("torchio")
    from medq_deg.adapters.torchio import RandomDegrade

    scan, label = torch.rand(1, 64, 48, 3), torch.ones(1, 64, 48, 3)
    subject = torchio.Subject(scan=torchio.ScalarImage(tensor=scan), label=torchio.LabelMap(tensor=label))
    torch.manual_seed(2)
    result = torchio.Compose([RandomDegrade("object_movement", 2)])(subject)
    assert torch.equal(result.label.data, label)
    assert result.scan.data.shape == scan.shape
    assert not torch.allclose(result.scan.data, scan)


def test_bad_choices_and_shapes_are_refused() -> None:
    with pytest.raises(MedqDegError, match="order must be"):
        Choice("ghosting", 1, order="xy")
    with pytest.raises(MedqDegError, match="has no parameter"):
        Choice(["ghosting", "bubble"], 1, rim=0.1)
    with pytest.raises(ImageError, match="must have shape"):
        degrade_channels(np.zeros((64, 64)), "ghosting", 1)
