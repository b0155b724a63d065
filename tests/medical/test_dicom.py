"""DICOM: every file of the packages ends well, and values and windows are those that the standard says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from medq_deg import read_image
from medq_deg.errors import ImageError

pydicom = pytest.importorskip("pydicom")
files = pytest.importorskip("tests.medical.files", exc_type=ImportError)
SHIPPED, ct, dataset, item, written = files.SHIPPED, files.ct, files.dataset, files.item, files.written


def shown(path: Path, **options: Any) -> NDArray[np.uint8]:
    return np.asarray(read_image(path, **options).image)


@pytest.fixture(scope="module")
def ramp() -> NDArray[np.float64]:
    """Hounsfield units from air to bone, in an image."""
    return np.linspace(-1000, 1500, 40 * 50).reshape(40, 50).round()


def test_every_file_that_the_packages_ship_is_read_or_refused_in_a_sentence() -> None:
    read, refused = [], {}
    for path in files.shipped_files():
        try:
            image = read_image(path)
        except ImageError as error:
            refused[path.name] = str(error)
            continue
        read.append(path.name)
        assert image.image.mode in ("L", "RGB")
        assert image.values is None or image.values.shape == image.image.size[::-1]
    assert len(read) >= 100, f"{len(read)} read"
    assert not any("\n" in reason for reason in refused.values())
    for name, reason in {
        "rtplan.dcm": "a treatment plan, not an image",
        "rtstruct.dcm": "contours, not an image",
        "reportsi.dcm": "a structured report, not an image",
        "liver_1frame.dcm": "a segmentation, not an image",
        "waveform_ecg.dcm": "a waveform, not an image",
        "DICOMDIR": "a directory (DICOMDIR), not an image",
        "MR_truncated.dcm": "the pixels cannot be decoded",
    }.items():
        assert reason in refused[name]


LOSSLESS = ("MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_bigendian.dcm")


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_compression_and_byte_order_change_nothing(name: str) -> None:
    assert np.array_equal(shown(SHIPPED / name), shown(SHIPPED / "MR_small.dcm"))


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm"])
def test_values_are_those_of_pydicom(name: str) -> None:
    data = pydicom.dcmread(SHIPPED / name)
    image = read_image(SHIPPED / name)
    assert image.values is not None
    assert np.allclose(image.values, pydicom.pixels.apply_modality_lut(data.pixel_array, data))


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("level", "width"), [(40, 400), (-600, 1500), (40, 80), (0, 1)])
def test_a_file_s_window_is_shown_as_the_standard_says(
    function: str, level: int, width: int, ramp: NDArray[np.float64], tmp_path: Path
) -> None:
    path = ct(tmp_path / "a.dcm", ramp, WindowCenter=level, WindowWidth=width, VOILUTFunction=function)
    image = read_image(path)
    if width == 1:
        assert image.shown_by != "window of the file" or function == "SIGMOID"
        return
    assert image.window == (level, width)
    assert image.unit == "HU"
    data = pydicom.dcmread(path)
    values = pydicom.pixels.apply_modality_lut(data.pixel_array, data)
    # pydicom's result has the range of the stored bits, after the rescale.
    reference = pydicom.pixels.apply_voi_lut(values, data)
    low, high = -1024, 4095 - 1024
    expected = np.rint((reference - low) * 255 / (high - low))
    assert np.abs(np.asarray(image.image).astype(float) - expected).max() <= 1


@pytest.mark.parametrize(
    ("window", "level", "width"),
    [("lung", -600, 1500), ("brain", 40, 80), ("bone", 400, 1800), ("soft", 40, 400), ("-50,300", -50, 300)],
)
def test_presets_and_numbers_are_level_and_width_in_hounsfield_units(
    window: str, level: int, width: int, ramp: NDArray[np.float64], tmp_path: Path
) -> None:
    path = ct(tmp_path / "a.dcm", ramp, WindowCenter=0, WindowWidth=100)
    image = read_image(path, window=window)
    assert image.window == (level, width)
    expected = np.clip((ramp - level + width / 2) * 255 / width, 0, 255)
    assert np.abs(np.asarray(image.image) - expected).max() <= 0.5 + 1e-9


def test_a_ct_without_a_window_is_shown_as_soft_tissue(ramp: NDArray[np.float64], tmp_path: Path) -> None:
    image = read_image(ct(tmp_path / "a.dcm", ramp))
    assert (image.window, image.unit, image.modality) == ((40, 400), "HU", "CT")
    assert (image.slope, image.intercept, image.spacing_mm, image.bits) == (1, -1024, (0.7, 0.7), 12)


def test_a_preset_is_refused_where_values_are_not_hounsfield_units(tmp_path: Path) -> None:
    stored = np.arange(1600, dtype=np.uint16).reshape(40, 40)
    mri = written(tmp_path / "mri.dcm", dataset(stored, Modality="MR"))
    scout = ct(tmp_path / "scout.dcm", stored.astype(float), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    capture = written(tmp_path / "sc.dcm", dataset(stored.astype(np.uint8), Modality="CT"))
    for path in (mri, scout, capture):
        with pytest.raises(ImageError, match="the window 'lung' is in Hounsfield units"):
            read_image(path, window="lung")
        assert read_image(path).unit == ""
        assert read_image(path, window="100,50").window == (100, 50)


def test_monochrome1_and_an_inverse_shape_are_turned_once(tmp_path: Path) -> None:
    stored = np.arange(1600, dtype=np.uint16).reshape(40, 40)
    plain = shown(written(tmp_path / "a.dcm", dataset(stored, WindowCenter=800, WindowWidth=1000)))
    for attributes in (
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
    ):
        path = written(tmp_path / "b.dcm", dataset(stored, WindowCenter=800, WindowWidth=1000, **attributes))
        assert np.array_equal(shown(path), 255 - plain)


@pytest.mark.parametrize("signed", [False, True])
def test_padding_is_black_and_decides_nothing(signed: bool, tmp_path: Path) -> None:
    stored = np.arange(1600).reshape(40, 40).astype(np.int16 if signed else np.uint16)
    padded = stored.copy()
    value = -2000 if signed else 60000
    padded[:5] = value
    for given in (value, value + 65536) if signed else (value,):
        for photometric in ("MONOCHROME1", "MONOCHROME2"):
            made = dataset(padded, PhotometricInterpretation=photometric)
            made.add_new(0x00280120, "US" if given >= 0 else "SS", given)
            result = shown(written(tmp_path / "p.dcm", made))
            assert (result[:5] == 0).all()
            assert np.unique(result[5:]).size > 200


def test_bits_that_are_not_used_are_dropped(tmp_path: Path) -> None:
    stored = np.arange(1600, dtype=np.uint16).reshape(40, 40)
    plain = shown(written(tmp_path / "a.dcm", dataset(stored, BitsStored=12)))
    with_overlay = stored | (np.indices(stored.shape).sum(0) % 2 * 0x8000).astype(np.uint16)
    assert np.array_equal(shown(written(tmp_path / "b.dcm", dataset(with_overlay, BitsStored=12))), plain)
    shifted = dataset(stored << 4, BitsStored=12, HighBit=15)
    assert np.array_equal(shown(written(tmp_path / "c.dcm", shifted)), plain)


def test_an_enhanced_object_s_frames_have_their_own_scale_and_window(tmp_path: Path) -> None:
    stored = np.stack([np.arange(1600, dtype=np.uint16).reshape(40, 40) + 100 * k for k in range(3)])
    made = dataset(stored, Modality="CT")
    spacing = item(PixelSpacing=[0.5, 0.25])
    made.SharedFunctionalGroupsSequence = pydicom.Sequence([item(PixelMeasuresSequence=pydicom.Sequence([spacing]))])
    made.PerFrameFunctionalGroupsSequence = pydicom.Sequence(
        [
            item(
                PixelValueTransformationSequence=pydicom.Sequence(
                    [item(RescaleSlope=k + 1, RescaleIntercept=-1000 - k, RescaleType="HU")]
                ),
                FrameVOILUTSequence=pydicom.Sequence([item(WindowCenter=100 * k, WindowWidth=500)]),
            )
            for k in range(3)
        ]
    )
    path = written(tmp_path / "e.dcm", made)
    for k in range(3):
        image = read_image(path, frame=k)
        assert image.values is not None
        assert np.array_equal(image.values, stored[k] * (k + 1.0) - 1000 - k)
        assert (image.window, image.spacing_mm, image.frame, image.frames) == (
            (100 * k, 500),
            (0.5, 0.25),
            k,
            3,
        )
    assert read_image(path).frame == 1
    with pytest.raises(ImageError, match="frame must be 0 to 2, the frames of this file, got 3"):
        read_image(path, frame=3)


def test_a_voi_table_is_used_before_a_window(tmp_path: Path) -> None:
    stored = np.arange(1600, dtype=np.uint16).reshape(40, 40)
    table = np.linspace(255, 0, 1000).round().astype(np.uint16)
    made = dataset(stored, WindowCenter=1, WindowWidth=2)
    made.VOILUTSequence = pydicom.Sequence([item(LUTDescriptor=[1000, 200, 8], LUTData=table.tolist())])
    made.VOILUTSequence[0]["LUTDescriptor"].VR = "US"
    made.VOILUTSequence[0]["LUTData"].VR = "US"
    result = shown(written(tmp_path / "v.dcm", made))
    assert np.array_equal(result, table[np.clip(stored.astype(int) - 200, 0, 999)])


@pytest.mark.parametrize("entries", [8, 16])
def test_a_palette_is_shown_in_its_colours(entries: int, tmp_path: Path) -> None:
    stored = np.arange(1600).reshape(40, 40).astype(np.uint8)
    made = dataset(stored, PhotometricInterpretation="PALETTE COLOR", Modality="US")
    for number, name in enumerate(("Red", "Green", "Blue")):
        levels = np.roll(np.arange(256), 40 * number).astype(np.uint16)
        words = levels * 257 if entries == 16 else levels
        made.add_new(f"{name}PaletteColorLookupTableDescriptor", "US", [256, 0, 16])
        made.add_new(f"{name}PaletteColorLookupTableData", "OW", words.astype("<u2").tobytes())
    expected = np.stack([np.roll(np.arange(256), 40 * k)[stored] for k in range(3)], axis=-1)
    assert np.array_equal(shown(written(tmp_path / "p.dcm", made)), expected)


def test_colour_of_16_bits_spans_its_bits(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    result = shown(written(tmp_path / "c.dcm", dataset(colour)))
    assert np.array_equal(result, np.rint(colour / 257))


@pytest.mark.parametrize(
    ("code", "modality"),
    [
        *[("CT", "CT"), ("MR", "MRI"), ("DX", "X-ray"), ("MG", "X-ray"), ("US", "ultrasound"), ("ES", "endoscopy")],
        *[("SM", "histopathology"), ("DMS", "dermoscopy"), ("PT", None), ("OPT", None), ("", None), ("X" * 16, None)],
    ],
)
def test_the_modality_is_one_of_the_seven_or_none(code: str, modality: str | None, tmp_path: Path) -> None:
    image = read_image(written(tmp_path / "m.dcm", dataset(np.eye(40, dtype=np.uint8), Modality=code)))
    assert image.modality == modality
    assert not any("XXXX" in note for note in image.notes)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"Modality": "SM", "TotalPixelMatrixColumns": 9000, "TotalPixelMatrixRows": 40}, "a whole slide"),
        ({"Modality": "SM", "ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]}, "a whole slide or its label"),
        ({"Modality": "SEG"}, "a segmentation, not an image"),
        ({"Columns": 5000}, "sides of up to 4096 px, got 5000 x 40"),
        ({"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}, "one bit a pixel"),
        ({"Rows": None}, "size, depth or photometric interpretation is missing"),
        ({"PixelData": b"\0\0"}, "the pixels cannot be decoded"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "palette colour without a palette"),
    ],
)
def test_what_is_no_single_image_is_refused(attributes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = written(tmp_path / "r.dcm", dataset(np.eye(40, dtype=np.uint8), **attributes))
    with pytest.raises(ImageError, match=reason):
        read_image(path)


def test_only_the_frame_that_is_wanted_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = dataset(np.stack([np.full((40, 40), k, np.uint8) for k in range(20)]), WindowCenter=10, WindowWidth=30)
    made.compress(pydicom.uid.RLELossless)
    path = written(tmp_path / "cine.dcm", made)
    decoded = []
    from pydicom.pixels.decoders import rle

    original = rle._decode_frame
    monkeypatch.setattr(rle, "_decode_frame", lambda *given: decoded.append(1) or original(*given))
    assert read_image(path, frame=7).values.max() == 7
    assert len(decoded) <= 1
