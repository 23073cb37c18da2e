"""One thin command a DVC stage; ``python -m stages.NAME --help`` says what each does."""
