"""The picture that the model predicts at each step, cheaply: no decoder runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["fit_previews", "noise_level", "predicted_latents", "to_uint8"]


def noise_level(scheduler: Any, timestep: float | Tensor) -> float | None:
    """Give the sigma of a timestep, before the scheduler's step; None where the scheduler has none.

    Not by counting: img2img begins in the middle, and a solver of second order gives a timestep twice.
    """
    sigmas = getattr(scheduler, "sigmas", None)
    if sigmas is None:
        return None
    index = getattr(scheduler, "step_index", None)
    if index is None:
        index = getattr(scheduler, "begin_index", None)
    if index is None:
        index = int((scheduler.timesteps.double() - float(timestep)).abs().argmin())
    return float(sigmas[index]) if index < len(sigmas) else None


def predicted_latents(scheduler: Any, arguments: dict[str, Any]) -> Tensor | None:
    """Solve a scheduler's step for the clean latents that the model predicts.

    Parameters
    ----------
    scheduler
        A diffusers scheduler.
    arguments
        Of its ``step``: ``model_output``, ``timestep``, ``sample``.

    Returns
    -------
    Tensor or None
        ``(image, channel, row, column)``; None for schedulers and predictions that this does not know.

    Notes
    -----
    ``sample = alpha * clean + sigma * noise``; with v-prediction (Salimans & Ho 2022, appendix D) ``v = alpha * noise -
    sigma * clean``. Schedulers in sigma space (Karras et al. 2022) have ``alpha = 1``; their v is that of the scaled
    sample.
    """
    output, sample = arguments["model_output"].float(), arguments["sample"].float()
    kind = getattr(scheduler.config, "prediction_type", "epsilon")
    if kind == "sample":
        return output
    scales = _alpha_sigma(scheduler, arguments["timestep"])
    if scales is None:
        return None
    alpha, sigma, scaled = scales
    if kind == "epsilon":
        return (sample - sigma * output) / max(alpha, 1e-4)
    if kind == "v_prediction":
        if scaled:
            return sample / (sigma**2 + 1) - output * sigma / (sigma**2 + 1) ** 0.5
        return alpha * sample - sigma * output
    return None


def _alpha_sigma(scheduler: Any, timestep: Any) -> tuple[float, float, bool] | None:
    products = getattr(scheduler, "alphas_cumprod", None)
    if products is None:
        return None
    level = noise_level(scheduler, timestep)
    if level is None:
        product = float(products[int(timestep)])
        return product**0.5, (1 - product) ** 0.5, False
    if hasattr(scheduler, "_sigma_to_alpha_sigma_t"):
        alpha, sigma = scheduler._sigma_to_alpha_sigma_t(torch.tensor(level))
        return float(alpha), float(sigma), False
    return 1.0, level, True


def fit_previews(latents: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """Show predicted latents as small pictures, by the linear map that fits the run's own end best.

    Parameters
    ----------
    latents
        ``(step, image, channel, row, column)``; the last step belongs to ``pictures``.
    pictures
        ``(image, row, column, 3)`` uint8.

    Returns
    -------
    numpy.ndarray
        ``(step, image, row, column, 3)`` uint8, at the latents' size.
    """
    latents = np.nan_to_num(latents.astype(np.float32))
    *_, rows, columns = latents.shape
    small = torch.nn.functional.interpolate(
        torch.from_numpy(pictures).permute(0, 3, 1, 2).float(), (rows, columns), mode="area"
    )
    target = small.permute(0, 2, 3, 1).reshape(-1, 3).numpy()
    features = np.moveaxis(latents, 2, -1)
    features = np.concatenate([features, np.ones((*features.shape[:-1], 1), np.float32)], axis=-1)
    last = features[-1].reshape(-1, features.shape[-1])
    # A little ridge: a picture in one colour says nothing about the other directions.
    ridge = 1e-3 * len(last) * np.eye(last.shape[1], dtype=np.float32)
    ridge[-1, -1] = 0
    matrix = np.linalg.solve(last.T @ last + ridge, last.T @ target)
    return np.clip(features @ matrix + 0.5, 0, 255).astype(np.uint8)


def to_uint8(images: Any) -> np.ndarray | None:
    """Bring what a pipeline gives as ``images`` to ``(image, row, column, 3)`` uint8; None where it is no picture.

    The frames of videos follow each other, those of the first one first.
    """
    if getattr(images, "ndim", 0) == 5:
        images = images.reshape(-1, *images.shape[2:])
    if isinstance(images, list) and images and isinstance(images[0], list):
        images = [frame for video in images for frame in video]
    if isinstance(images, Tensor):
        if images.ndim != 4 or images.shape[1] != 3:
            return None
        images = images.detach().float().cpu().permute(0, 2, 3, 1).numpy()
    if isinstance(images, np.ndarray):
        if images.ndim != 4 or images.shape[-1] != 3:
            return None
        return np.clip(images * 255 + 0.5, 0, 255).astype(np.uint8)
    if isinstance(images, list) and images and hasattr(images[0], "convert"):
        return np.stack([np.asarray(image.convert("RGB")) for image in images])
    return None
