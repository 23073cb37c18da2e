"""What can change no output of a stage."""
