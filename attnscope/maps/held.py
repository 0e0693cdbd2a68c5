"""What a capture holds: the labelled tree, also while it grows, and parts of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

import xarray as xr

from attnscope.errors import NothingCapturedError
from attnscope.maps.build import from_recording
from attnscope.maps.narrow import narrow

if TYPE_CHECKING:
    from PIL.Image import Image

    from attnscope.capture.recording import Recording

__all__ = ["Held"]


class Held:
    """The part of a `Capture` that knows where the data are.

    Parameters
    ----------
    source
        A labelled tree, or a recording that may still grow.
    label
        Makes a tree of a recording, as it is by now.
    """

    def __init__(
        self, source: xr.DataTree | Recording, label: Callable[[Recording], xr.DataTree] = from_recording
    ) -> None:
        self._label = label
        self._recording = None if isinstance(source, xr.DataTree) else source
        #: The tree and the version that it is of: one value, since another thread may ask while the run goes on.
        self._built = (source, -1) if isinstance(source, xr.DataTree) else (None, -1)

    @property
    def tree(self) -> xr.DataTree:
        """The data: one node per kind and native grid.

        Arrays are float32 in use, whatever they are kept in, and are read when asked for.

        Raises
        ------
        NothingCapturedError
            If no step has been seen yet.
        """
        tree, version = self._built
        if self._recording is not None and version != self._recording.version:
            if self._recording.empty:
                msg = "Nothing has been captured yet: run the pipeline inside the `with attnscope.capture(...)` block."
                raise NothingCapturedError(msg)
            version = self._recording.version  # before the tree, which then is of this version or a newer one
            tree = self._label(self._recording)
            self._built = tree, version
        assert tree is not None
        return tree

    def sel(self, *, branch: str | None = None, image: int | None = None, frame: int | None = None) -> Self:
        """Narrow the capture to one branch, image or frame.

        Views: nothing is copied, and of a run that goes on it grows too. Pictures, previews and ``prompt`` are those of
        the image.

        Parameters
        ----------
        branch, image, frame
            Labels, as along the dims of the arrays; all of them where one is not given.

        Returns
        -------
        Capture
            Without these dims.

        Raises
        ------
        UnknownRowError
            If there is no such branch, image or frame.

        Examples
        --------
        >>> import attnscope
        >>> pipe = attnscope.demo.pipeline()
        >>> prompts = ["a red circle", "a green star"]
        >>> with attnscope.capture(pipe, branches=("cond", "uncond")) as cap:
        ...     images = pipe(prompts, negative_prompt=["a square", ""], num_inference_steps=1).images
        >>> cap.at(8).dims
        ('branch', 'image', 'step', 'layer', 'head', 'pixel', 'token')
        >>> second = cap.sel(branch="cond", image=1)
        >>> second.prompt, second.at(8).sel(word="star").dims
        ('a green star', ('step', 'layer', 'head', 'pixel', 'token'))
        """
        wanted = {"branch": branch, "image": image, "frame": frame}
        tree, version = narrow(self.tree, wanted), self.version
        if self._recording is None:
            return type(self)(tree)
        narrowed = type(self)(self._recording, lambda recording: narrow(self._label(recording), wanted))
        narrowed._built = tree, version
        return narrowed

    @property
    def attrs(self) -> Mapping[Any, Any]:
        """Where the maps came from: prompt, scheduler, guidance, sizes, seed, versions."""
        return self.tree.attrs

    @property
    def prompt(self) -> str | list[str] | None:
        """The prompt, a list of several, None where only embeddings were given."""
        return self.attrs["prompt"]

    @property
    def images(self) -> list[Image]:
        """The final pictures, of a video its frames in order; empty where the run did not decode any."""
        from PIL import Image as pillow

        if "picture" not in self._pictures:
            return []
        pictures = self._pictures["picture"].values
        return [pillow.fromarray(picture) for picture in pictures.reshape(-1, *pictures.shape[-3:])]

    @property
    def image(self) -> Image | None:
        """The final picture, the first where there are several."""
        return next(iter(self.images), None)

    @property
    def previews(self) -> xr.DataArray | None:
        """Predicted picture at every step: ``(step, row, column, rgb)`` uint8, with ``image`` where several.

        A linear fit of the decoder, made from the run's own last latents and picture, so a cheap and coarse one.
        """
        if "preview" not in self._pictures:
            return None
        preview = self._pictures["preview"].rename(preview_row="row", preview_column="column")
        return preview.squeeze([dim for dim in ("image", "frame") if preview.sizes.get(dim) == 1], drop=True)

    @property
    def version(self) -> int:
        """Counts what has changed while the run went on; 0 for a capture that was opened."""
        return 0 if self._recording is None else self._recording.version

    @property
    def _pictures(self) -> Mapping[Any, xr.DataArray]:
        return self.tree["pictures"].dataset.data_vars if "pictures" in self.tree.children else {}
