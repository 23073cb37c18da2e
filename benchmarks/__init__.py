"""Speed and quality compared with reference implementations. Needs the extra `bench`, which the study does not."""
