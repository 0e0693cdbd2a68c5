"""One small pipeline of random weights for each kind of UNet pipeline that diffusers has."""

from zoo import adapters, added, editing, further, guided, sdxl, stable, video
from zoo.case import Case, generator, pictures

FAMILIES = (stable, sdxl, adapters, guided, added, video, editing, further)
CASES = {name: maker for family in FAMILIES for name, maker in family.CASES.items()}

__all__ = ["CASES", "Case", "generator", "pictures"]
