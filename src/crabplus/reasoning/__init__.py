"""Explicit reasoning: writes how sight and sound lead to a true answer, and checks what was written."""
