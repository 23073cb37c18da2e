"""Losses on held-out images, the ideal denoiser, corrupted images."""
