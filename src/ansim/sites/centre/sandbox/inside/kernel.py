"""Runs inside the sandbox: a Python kernel. Never imported by Ansim.

ipykernel opens a TCP socket on the loopback by which forked children hand in what they print. There is no network here,
so it goes without: what a forked child prints does not reach the notebook.
"""

from typing import Any

from ipykernel import kernelapp

Thread = kernelapp.IOPubThread


def without_pipe(*arguments: Any, **named: Any) -> Any:
    return Thread(*arguments, **{**named, "pipe": False})


kernelapp.IOPubThread = without_pipe  # type: ignore[assignment,misc]
kernelapp.launch_new_instance()
