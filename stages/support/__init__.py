"""Code that cannot change an output of a stage."""
