"""Files from elsewhere: pinned, checked, decoded."""
