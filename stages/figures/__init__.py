"""Tables and images -> figures -> bytes."""
