"""A chat server on plain sockets: the first line is your name, each further line is said to all."""

MAX_LINE = 1024  # bytes; who sends longer lines is shown out
