"""The reverse process, and the network prepared for it."""
