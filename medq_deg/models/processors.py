"""Processors: what turns a conversation with an image into a model's inputs, with or without torchvision.

transformers loads most vision-language processors only together with their video part, which needs torchvision. Nothing
here shows a video to a model, so where torchvision is missing that part is left out.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from transformers.utils import is_torchvision_available

try:
    import torchvision  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
except ImportError:
    pass
except (RuntimeError, OSError):
    # Built for another torch: transformers would see it installed and fail to import. It counts as missing.
    sys.modules["torchvision"] = None  # type: ignore[assignment]
    is_torchvision_available.cache_clear()

from transformers import AutoConfig, AutoProcessor, ProcessorMixin
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES, processor_class_from_name

from medq_deg.errors import MedqDegError
from medq_deg.models.pixels import limit_pixels  # noqa: F401  (its place before)


def load_processor(name: str, *, revision: str | None = None, trust_remote_code: bool = False) -> Any:
    """Load the processor of a vision-language model.

    Parameters
    ----------
    name : str
        A local folder or a Hub id.
    revision : str, optional
        Branch, tag or commit on the Hub.
    trust_remote_code : bool
        Run a processor that comes as code with the checkpoint.

    Returns
    -------
    transformers.ProcessorMixin
        The checkpoint's; without torchvision it has no video part, and its image part is the "Pil" one.

    Raises
    ------
    MedqDegError
        If there is no processor, it cannot be loaded, or it has no chat template.
    """
    options = {"revision": revision or "main", "trust_remote_code": trust_remote_code}
    try:
        native = None if is_torchvision_available() else _class_without_torchvision(name, options)
        processor = (native or AutoProcessor).from_pretrained(name, **options)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
        # The first sentence says what is wrong, the others advise.
        reason = re.split(r"(?<=[.!?])\s|\n", str(error).strip())[0] or type(error).__name__
        raise MedqDegError(f"the processor of model {name!r} cannot be loaded: {reason}") from error
    if not isinstance(processor, ProcessorMixin):
        raise MedqDegError(f"model {name!r} has no processor for images, only a {type(processor).__name__}")
    if not getattr(processor, "chat_template", None):
        raise MedqDegError(f"model {name!r} has no chat template, which is needed to show it image and question")
    return processor


def _class_without_torchvision(name: str, options: dict[str, Any]) -> Any:
    """Return a processor class that needs no torchvision, or None where AutoProcessor finds one itself."""
    files, _ = ProcessorMixin.get_processor_dict(name, **options)
    if (class_name := files.get("processor_class")) is None:
        class_name = PROCESSOR_MAPPING_NAMES.get(AutoConfig.from_pretrained(name, **options).model_type)
    if class_name == "PixtralProcessor":
        return _pixtral_processor()
    native = processor_class_from_name(class_name) if class_name else None
    if native is None or "video_processor" not in native.get_attributes():
        return None

    class ImageOnly(native):  # type: ignore[misc, valid-type]
        # SmolVLM hands on these two, videos or not.
        video_processor = SimpleNamespace(num_frames=None, fps=None)

        @classmethod
        def get_attributes(cls) -> list[str]:
            return [attribute for attribute in super().get_attributes() if attribute != "video_processor"]

        @classmethod
        def from_args_and_dict(cls, args: Any, processor_dict: dict[str, Any], **kwargs: Any) -> Any:
            return super().from_args_and_dict(args, processor_dict, video_processor=None, **kwargs)

    ImageOnly.__name__ = native.__name__
    return ImageOnly


def _pixtral_processor() -> Any:
    """Import Mistral 3's processor: its module takes from torchvision's half one function that the Pil half has too."""
    half = "transformers.models.pixtral.image_processing_pixtral"
    sys.modules[half] = import_module("transformers.models.pixtral.image_processing_pil_pixtral")
    try:
        return import_module("transformers.models.pixtral.processing_pixtral").PixtralProcessor
    finally:
        del sys.modules[half]
