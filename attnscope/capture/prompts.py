"""The prompts of a pipeline's call, and what stands at each position that its denoiser attends to."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attnscope.capture.tokens import Text, read_prompt
from attnscope.errors import TruncatedPromptWarning

if TYPE_CHECKING:
    from attnscope.capture.recording import Row

__all__ = ["Prompts"]

#: The argument that a branch's text comes from; pipelines of two encoders have the same with ``_2``.
_SOURCES = {"cond": "prompt", "perturbed": "prompt", "uncond": "negative_prompt", "image": "negative_prompt"}


class Prompts:
    """What a pipeline is called with, as far as it is text.

    Parameters
    ----------
    pipe
        A diffusers pipeline.
    model
        Its denoiser.
    arguments
        Of the call, by name.
    """

    def __init__(self, pipe: Any, model: Any, arguments: Mapping[str, Any]) -> None:
        self._pipe, self._model, self._arguments = pipe, model, arguments
        self._read: dict[tuple[str | None, ...], Text | None] = {}
        #: Pictures that are made at once.
        self.images = 1

    @property
    def count(self) -> int:
        """How many prompts there are."""
        return len(self._given("prompt") or [])

    def named(self, argument: str) -> str | list[str] | None:
        """Give the text of an argument: one where all are the same."""
        given = self._given(argument)
        if not given:
            return None
        return given[0] if len(set(given)) == 1 else given

    def text(self, row: Row, length: int) -> Text | None:
        """Say what stands at each position of a row's text.

        Parameters
        ----------
        row
            Whose text.
        length
            Positions that the model sees.

        Returns
        -------
        Text or None
            None where that is not known, as of ``prompt_embeds``.
        """
        tokenizers = [one for one in (getattr(self._pipe, name, None) for name in ("tokenizer", "tokenizer_2")) if one]
        only_pictures = not tokenizers and "prompt" not in self._arguments
        leading = length if only_pictures else self._leading(length)
        if leading == length:
            return Text([]).after(leading)
        prompts = self._of(row)
        if prompts is None or not tokenizers:
            return None
        key = (*prompts, str(length))
        if key not in self._read:
            self._read[key] = self._together(prompts[-len(tokenizers) :], tokenizers, length - leading)
        text = self._read[key]
        return None if text is None else text.after(leading)

    def _together(self, prompts: list[str], tokenizers: list[Any], length: int) -> Text | None:
        texts = [self._one(tokenizer, prompt, length) for tokenizer, prompt in zip(tokenizers, prompts, strict=False)]
        if any(len(text.tokens) != length for text in texts):
            return None
        text = texts[0] if len(texts) == 1 else texts[0].beside(texts[1])
        if text.truncated:
            limit = tokenizers[0].model_max_length
            msg = f"The tokenizer takes {min(limit, length)} tokens; the model does not see {text.truncated!r}."
            warnings.warn(msg, TruncatedPromptWarning, stacklevel=4)
        return text

    def _one(self, tokenizer: Any, prompt: str, length: int) -> Text:
        if hasattr(self._pipe, "maybe_convert_prompt"):
            prompt = self._pipe.maybe_convert_prompt(prompt, tokenizer)
        if hasattr(self._pipe, "_text_preprocessing"):  # DeepFloyd IF
            cleaned = self._pipe._text_preprocessing(prompt, clean_caption=self._arguments.get("clean_caption", False))
            prompt = cleaned[0] if isinstance(cleaned, list) else cleaned
        return read_prompt(tokenizer, prompt, length)

    def _of(self, row: Row) -> list[str] | None:
        """Give the prompts that a row's text was made of, one for each encoder."""
        name, _, number = row.branch.partition(" ")
        source = "editing_prompt" if name == "edit" else _SOURCES.get(name)
        if source is None:
            return None
        first = self._pick(source, row.image, number)
        second = self._pick(f"{source}_2", row.image, number)
        return None if first is None else [first, first if second is None else second]

    def _pick(self, argument: str, image: int, number: str) -> str | None:
        given = self._given(argument)
        if given is None and argument == "negative_prompt" and self._arguments.get("negative_prompt_embeds") is None:
            return ""
        if not given:
            return None
        if number:
            return given[int(number)] if int(number) < len(given) else None
        several = max(self.images // len(given), 1)
        return given[min(image // several, len(given) - 1)]

    def _given(self, argument: str) -> list[str] | None:
        value = self._arguments.get(argument)
        if isinstance(value, str):
            return [value]
        if not isinstance(value, (list, tuple)) or not value or not all(isinstance(one, str) for one in value):
            return None
        return list(value)

    def _leading(self, length: int) -> int:
        """Positions at the front that stand for a picture's embedding, not for text."""
        projection = getattr(getattr(self._model, "config", None), "encoder_hid_dim_type", None)
        if projection == "image_proj":  # Kandinsky 2.2 has no text at all
            return length
        if projection == "text_image_proj":  # Kandinsky 2.1
            return int(self._model.encoder_hid_proj.num_image_text_embeds)
        extra = getattr(getattr(self._pipe, "text_proj", None), "clip_extra_context_tokens", 0)  # unCLIP
        return min(int(extra), length)
