"""The system calls that researchers' code never needs, refused by seccomp.

Scripts open no socket of any family (socketpair stays, asyncio needs it); notebooks open
Unix sockets only. Foreign ABIs are killed by libseccomp itself.
"""

import errno
import socket
from typing import IO

from ansim.errors import N_, Problem

# fmt: off
REFUSED = (
    "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree",
    "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "ptrace", "process_vm_readv",
    "process_vm_writev", "kcmp", "pidfd_getfd", "keyctl", "add_key", "request_key", "bpf", "userfaultfd",
    "perf_event_open", "io_uring_setup", "io_uring_enter", "io_uring_register", "init_module", "finit_module",
    "delete_module", "kexec_load", "kexec_file_load", "open_by_handle_at", "name_to_handle_at", "mknod",
    "mknodat", "setxattr", "lsetxattr", "fsetxattr", "fanotify_init", "quotactl", "syslog", "acct", "swapon",
    "swapoff", "reboot", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "iopl", "ioperm",
    "vhangup", "move_pages", "migrate_pages", "mbind", "set_mempolicy", "personality", "modify_ldt",
    "nfsservctl",
)
# fmt: on
NAMESPACES = (0x00000080, 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
TIOCSTI, TIOCLINUX = 0x5412, 0x541C


def write_filter(target: IO[bytes], *, local_sockets: bool = False) -> None:
    """Write the compiled filter (BPF) to target. Raises Problem when libseccomp is missing.

    local_sockets: Unix sockets may be opened, which a notebook's kernels need to talk with their server. They reach no
    further than the sandbox's own files and network namespace.
    """
    try:
        import pyseccomp as seccomp
    except (ImportError, OSError, RuntimeError) as error:
        raise Problem(
            "sandbox-no-seccomp",
            N_("Researchers' code does not run without libseccomp."),
            remedy=N_("Install it: apt install libseccomp2; pip install pyseccomp."),
        ) from error
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    refuse = seccomp.ERRNO(errno.EPERM)
    families = (seccomp.Arg(0, seccomp.NE, socket.AF_UNIX),) if local_sockets else ()
    rules.add_rule(refuse, "socket", *families)
    for name in REFUSED:
        rules.add_rule(refuse, name)
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags are in memory, out of seccomp's sight
    for flag in NAMESPACES:
        rules.add_rule(refuse, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
    for request in (TIOCSTI, TIOCLINUX):
        rules.add_rule(refuse, "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, request))
    rules.export_bpf(target)
    target.flush()
