"""Seeing the attention of a running diffusion model. Imports neither torch nor diffusers until it is used."""
