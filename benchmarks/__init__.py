"""Speed and quality beside the usual code for the same study. Needs the `bench` extra; the study itself never does."""
