"""Distances between sets of features, and how far two rankings agree."""
