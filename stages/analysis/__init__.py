"""The study's own logic: tables, statistics, claims and comparisons."""
