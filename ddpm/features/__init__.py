"""Features of images by Inception."""
