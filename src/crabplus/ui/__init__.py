"""The web page: drop a file, choose a task, see the answer (``crabplus ui``).

Three parts keep it from harm. A :class:`.guard.Guard` stands before the server and refuses what is too large, too slow,
from elsewhere, or names anything but an uploaded file. A :class:`.folder.Folder` is the only place where files of
visitors lie; it is emptied as they leave and removed at the end. The model answers in a process of its own
(:class:`.worker.Worker`), which is ended when a question takes too long.
"""
