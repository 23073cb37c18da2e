"""The analysis of the results: tables, statistics, claims and comparisons."""
