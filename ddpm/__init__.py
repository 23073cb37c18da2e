"""Denoising diffusion on MNIST: schedules, training, sampling and the measure of quality, as a pure library."""
