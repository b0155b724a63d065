"""Time every degradation against the usual route to the same artefact, in one run, on one thread, at 512 x 512.

The usual route is the library that the paper names for it: scikit-image's radon and iradon for CT (as a stand-in for a
GPU projector, which does not run on a CPU), TorchIO for MRI, SciPy's ndimage for blur, zoom and rotation, and plain
double-precision NumPy for the rest. Each is timed from uint8 to uint8 at severity 2, and the median of several calls is
taken; calls of the two routes alternate. Each of our calls has a seed of its own, as every real row has, and what it
makes new (a kernel, a table) counts; a type that occurs on grey and on colour images is timed on both, weighed by the
modalities that it suits. Process time: what other programs do on the machine counts less.

    python benchmarks/degradations.py [--repeats 9] [--large]

The mean over the published mix weights each type by its number of rows in the paper. `--large` times 1,024 and 4,096 px
instead, with the first call of a fresh process and the memory that it adds.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import multiprocessing
import platform
import resource
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

# What only the usual routes need is imported by them: each large image is measured in a process of its own.
import cv2
import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from medq_deg import DEGRADATIONS, degrade
from medq_deg.data.plan import PUBLISHED_ROWS
from medq_deg.degradations.types.blur import line_kernel
from medq_deg.demo import read_image

Image = NDArray[np.uint8]
Route = Callable[[Image, int], Image]

SIDE = 512
COLOUR = ("dermoscopy", "endoscopy", "histopathology")
IMAGES = {
    "endoscopy": "skin_nevus_photo",  # the demo set has no endoscopy
    "CT": "ct_abdomen",
    "MRI": "mri_liver",
    "X-ray": "xray_chest_pa",
    "ultrasound": "us_pelvis",
    "dermoscopy": "skin_nevus_photo",
    "histopathology": "histo_hgsc_nest",
}


def demo_image(modality: str, side: int = SIDE) -> Image:
    """Return a real image of a modality, square, in colour where its modality is."""
    image = np.asarray(read_image(f"{IMAGES[modality]}.png"))
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA))


def kinds(name: str) -> dict[str, tuple[str, float]]:
    """Return "grey" and "RGB", where the type occurs on such images: a modality, and the share of modalities."""
    modalities = DEGRADATIONS[name].modalities
    grey = [m for m in modalities if m not in COLOUR]
    colour = [m for m in modalities if m in COLOUR]
    found = {kind: (own[0], len(own) / len(modalities)) for kind, own in (("grey", grey), ("RGB", colour)) if own}
    if name == "gaussian_noise":  # MRI has noise of its own
        found["MRI"] = ("MRI", 1 / len(modalities))
        found["grey"] = ("CT", 1 - 1 / len(modalities))
    return found


def to_bytes(image: NDArray[np.floating]) -> Image:
    """Clip and truncate, as the authors do."""
    return np.clip(image, 0, 255).astype(np.uint8)


def scan(angles: NDArray[np.floating]) -> Route:
    """Project and reconstruct with scikit-image."""

    def route(image: Image, seed: int) -> Image:
        from skimage.transform import iradon, radon

        sinogram = radon(image.astype(float), angles, circle=False)
        return to_bytes(iradon(sinogram, angles, output_size=SIDE, circle=False))

    return route


def low_dose(image: Image, seed: int) -> Image:
    """Simulate the whole scan: project, count photons, take the logarithm, reconstruct."""
    from skimage.transform import iradon, radon

    angles, rng, unit = np.arange(360) / 2, np.random.default_rng(seed), 0.02 / 128 * 0.7
    counts = rng.poisson(2.5e4 * np.exp(-radon(image.astype(float), angles, circle=False) * unit)) + rng.normal(
        0, 5, (725, 360)
    )
    return to_bytes(iradon(-np.log(np.maximum(counts, 1) / 2.5e4) / unit, angles, output_size=SIDE, circle=False))


def with_torchio(name: str, **options: object) -> Route:
    """Apply a TorchIO transform to the slice as a volume of depth 1."""

    def route(image: Image, seed: int) -> Image:
        import torch
        import torchio

        transform = getattr(torchio, name)(**options)
        torch.manual_seed(seed)
        volume = torchio.ScalarImage(tensor=torch.from_numpy(image.astype(np.float32))[None, ..., None])
        return to_bytes(np.asarray(transform(volume).data).squeeze())

    return route


def undersampling(image: Image, seed: int) -> Image:
    """Mask columns of the full Fourier plane."""
    mask = np.random.default_rng(seed).random(image.shape[1]) < 0.18
    mask[image.shape[1] // 2 - 20 : image.shape[1] // 2 + 20] = True
    plane = np.fft.fftshift(np.fft.fft2(image)) * mask
    return to_bytes(np.abs(np.fft.ifft2(np.fft.ifftshift(plane))))


def distance(image: Image) -> NDArray[np.float64]:
    """Distance in px from the middle of the image."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.hypot(y - SIDE / 2, x - SIDE / 2)


def blood_cell(image: Image, seed: int) -> Image:
    """Blend discs over the whole image, one by one, until enough of it is covered."""
    rng, result, covered = np.random.default_rng(seed), image.astype(float), np.zeros((SIDE, SIDE), bool)
    y, x = np.mgrid[:SIDE, :SIDE]
    while covered.mean() < 0.47:
        disc = np.hypot(y - rng.uniform(0, SIDE), x - rng.uniform(0, SIDE)) < rng.uniform(32, 51)
        alpha = 0.33 * ndi.gaussian_filter(disc.astype(float), 1)[..., None]
        result = result * (1 - alpha) + alpha * np.array([240.0, 124, 138])
        covered |= disc
    return to_bytes(result)


def dark_spots(image: Image, seed: int) -> Image:
    """Multiply by one minus a Gaussian."""
    return to_bytes(image * (1 - 0.77 * np.exp(-(distance(image) ** 2) / (2 * 178**2)))[..., None])


def bubble(image: Image, seed: int) -> Image:
    """Blur the whole image, keep the disc."""
    blurred = ndi.gaussian_filter(image.astype(float), (6.4, 6.4, 0))
    return to_bytes(np.where((distance(image) < 184)[..., None], blurred, image))


def low_resolution(image: Image, seed: int) -> Image:
    """Zoom out linearly, zoom in by nearest neighbour."""
    depth = (1,) * (image.ndim - 2)
    small = ndi.zoom(image.astype(float), (0.4, 0.4, *depth), order=1)
    back = [a / b for a, b in zip(image.shape, small.shape, strict=True)]
    return to_bytes(ndi.zoom(small, back, order=0))


def motion_blur(image: Image, seed: int) -> Image:
    """Convolve with the line kernel."""
    kernel = line_kernel(11, 45)
    return to_bytes(ndi.convolve(image.astype(float), kernel if image.ndim == 2 else kernel[..., None]))


def gaussian_noise(image: Image, seed: int) -> Image:
    """Add double-precision normal noise."""
    return to_bytes(image + np.random.default_rng(seed).normal(0, 20.3, image.shape))


REFERENCES: dict[str, tuple[str, Route]] = {
    "limited_angle": ("scikit-image radon + iradon, 115 views", scan(np.arange(115.0))),
    "sparse_view": ("scikit-image radon + iradon, 28 views", scan(np.arange(28) * 180 / 28)),
    "bias_field": ("TorchIO RandomBiasField", with_torchio("RandomBiasField")),
    "undersampling": ("NumPy fft2, mask, ifft2", undersampling),
    "ghosting": ("TorchIO RandomGhosting", with_torchio("RandomGhosting", axes=0)),
    "blood_cell": ("NumPy and SciPy, disc by disc", blood_cell),
    "dark_spots": ("NumPy", dark_spots),
    "object_rotation": (
        "SciPy ndimage.rotate",
        lambda image, seed: to_bytes(ndi.rotate(image.astype(float), 110, reshape=False, order=1)),
    ),
    "object_movement": ("TorchIO RandomMotion", with_torchio("RandomMotion")),
    "adjust_brightness": ("NumPy", lambda image, seed: to_bytes(image.astype(float) - 113)),
    "exposure": ("NumPy", lambda image, seed: to_bytes(255 * (image / 255) ** 2.357 - 27.3)),
    "reduce_contrast": ("NumPy", lambda image, seed: to_bytes(image.mean() + 0.297 * (image - image.mean()))),
    "gaussian_noise": ("NumPy", gaussian_noise),
    "low_dose": ("scikit-image radon, Poisson, iradon, 360 views", low_dose),
    "low_resolution": ("SciPy ndimage.zoom, twice", low_resolution),
    "motion_blur": ("SciPy ndimage.convolve", motion_blur),
    "gaussian_blur": (
        "SciPy ndimage.gaussian_filter",
        lambda image, seed: to_bytes(ndi.gaussian_filter(image.astype(float), (7, 7, 0)[: image.ndim])),
    ),
    "bubble": ("NumPy and SciPy", bubble),
}


def seconds(function: Callable[[], object]) -> float:
    """Process time of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def time_type(name: str, modality: str, repeats: int) -> tuple[float, float]:
    """Mean seconds of ours over fresh seeds, and median of the usual route, at L2, calls taken in turn."""
    image, (_, usual) = demo_image(modality), REFERENCES[name]
    degrade(image, name, 2, 10**6, modality=modality)
    usual(image, 0)
    ours, theirs = [], []
    for seed in range(repeats):
        ours += [seconds(lambda s=4 * seed + k: degrade(image, name, 2, s, modality=modality)) for k in range(4)]
        theirs.append(seconds(lambda s=seed: usual(image, s)))
    return statistics.median(ours), statistics.median(theirs)


def measure_large(job: tuple[str, str, int]) -> tuple[float, float, float]:
    """Seconds of the first and of later calls at a size, and the megabytes that the first adds to a fresh process."""
    name, modality, side = job
    cv2.setNumThreads(1)
    small, image = demo_image(modality, 64), demo_image(modality, side)
    degrade(small, name, 2, 0, modality=modality)  # imports and small buffers
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first = seconds(lambda: degrade(image, name, 2, 0, modality=modality))
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    seeds = range(1, 6 if side > 1024 else 32)
    later = [seconds(lambda s=s: degrade(image, name, 2, s, modality=modality)) for s in seeds]
    return first, statistics.median(later), memory


def print_large() -> None:
    """Print the table of large images."""
    print("| type | image | 512 px, ms | 1,024 px over it | 4,096 px, first, s | later, s | memory, MB |")
    print("|---|---|---|---|---|---|---|")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name in PUBLISHED_ROWS:
            for kind, (modality, _) in kinds(name).items():
                half, one, large = (pool.apply(measure_large, ((name, modality, side),)) for side in (512, 1024, 4096))
                print(
                    f"| {name} | {kind} | {1e3 * half[1]:.2f} | {one[1] / half[1]:.1f} "
                    f"| {large[0]:.2f} | {large[1]:.2f} | {large[2]:.0f} |",
                    flush=True,
                )


def print_speed(repeats: int) -> None:
    """Print the table against the usual routes."""
    print("| type | image | ours, ms | usual, ms | ratio | usual route |")
    print("|---|---|---|---|---|---|")
    weighted_ours = weighted_usual = 0.0
    for name, rows in PUBLISHED_ROWS.items():
        for kind, (modality, share) in kinds(name).items():
            ours, usual = time_type(name, modality, repeats)
            weighted_ours, weighted_usual = weighted_ours + rows * share * ours, weighted_usual + rows * share * usual
            print(
                f"| {name} | {kind} | {1e3 * ours:.2f} | {1e3 * usual:.1f} | {usual / ours:.1f} "
                f"| {REFERENCES[name][0]} |",
                flush=True,
            )
    total = sum(PUBLISHED_ROWS.values())
    print(
        f"| **published mix** | | **{1e3 * weighted_ours / total:.2f}** | **{1e3 * weighted_usual / total:.1f}** "
        f"| **{weighted_usual / weighted_ours:.1f}** | mean over the paper's rows |"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repeats", type=int, default=9, help="calls of the usual route; ours is called four times as often"
    )
    parser.add_argument("--large", action="store_true", help="1,024 and 4,096 px in place of the usual routes")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    packages = ("numpy", "scipy", "opencv-python-headless", "scikit-image", "torchio", "torch")
    print(
        f"Python {platform.python_version()}, {platform.machine()}, one thread; "
        + ", ".join(f"{p} {version(p)}" for p in packages)
    )
    print()
    if options.large:
        print_large()
    else:
        import torch

        torch.set_num_threads(1)
        print_speed(options.repeats)


if __name__ == "__main__":
    main()
