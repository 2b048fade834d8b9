"""The filter of a worker's system calls, which allows only those that a decoder needs.

The filter allows calls that a decoder needs. Calls that only an attacker makes kill the process, so that the
attack is noticed. Every other call fails with EPERM, which harmless code handles. Files can no
longer be opened, not even to read, because everything was loaded before.

Source: Linux ``Documentation/userspace-api/seccomp_filter.rst``, ``include/uapi/linux/seccomp.h`` and
``linux/filter.h`` (classic BPF).
"""

import ctypes
import errno
import os
import struct
from typing import Final

from vision.isolation.system_calls import AARCH64, NUMBERS, X86_64

__all__ = ["UnknownMachine", "build_filter", "install_filter"]

_NEEDED: Final = (
    "read", "write", "readv", "writev", "close", "lseek", "fstat", "pread64", "poll", "ppoll",
    "munmap", "mremap", "madvise", "brk", "futex", "rseq",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday",
    "getrandom", "getrusage", "getpid", "gettid", "sched_yield", "sched_getaffinity",
    "exit", "exit_group",
)  # fmt: skip
_DEADLY: Final = (
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg",
    "execve", "execveat", "fork", "vfork",
    "ptrace", "process_vm_readv", "process_vm_writev", "kill", "tkill", "rt_sigqueueinfo",
    "rt_tgsigqueueinfo", "pidfd_open", "pidfd_getfd", "pidfd_send_signal",
    "creat", "openat2", "truncate", "unlink", "unlinkat", "rename", "renameat", "renameat2",
    "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat", "mknod", "mknodat",
    "mount", "umount2", "pivot_root", "chroot", "unshare", "setns",
    "bpf", "io_uring_setup", "userfaultfd", "perf_event_open", "add_key", "request_key", "keyctl",
)  # fmt: skip

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL, _ALLOW, _ERRNO = 0x8000_0000, 0x7FFF_0000, 0x0005_0000
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
_X32 = 0x4000_0000
_AUDIT: Final = {"x86_64": (0xC000_003E, X86_64), "aarch64": (0xC000_00B7, AARCH64)}
_PROT_EXEC = 0x4
_CLONE_THREAD = 0x0001_0000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2

_Instruction = tuple[int, int, int, int]


class UnknownMachine(Exception):
    """The numbers of this machine's system calls are unknown."""


def build_filter(machine: str, *, pid: int) -> bytes:
    """Returns the filter as a classic BPF program, 8 bytes per instruction, in the machine's byte order.

    Args:
        machine: As in ``os.uname().machine``.
        pid: The process under the filter; it may signal and limit only itself.

    Raises:
        UnknownMachine: The machine is neither x86_64 nor aarch64.
    """
    if machine not in _AUDIT:
        raise UnknownMachine(machine)
    audit, column = _AUDIT[machine]
    program: list[_Instruction] = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if column == X86_64:
        # The x32 calls have the same architecture mark, and could bypass a filter of numbers.
        program += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    refused, no_thread = _ERRNO | errno.EPERM, _ERRNO | errno.EAGAIN
    rules: list[tuple[str, list[_Instruction]]] = [(name, [(_RETURN, 0, 0, _ALLOW)]) for name in _NEEDED]
    rules += [
        # Executable memory is the way to run injected code.
        ("mmap", _unless_bits(2, _PROT_EXEC, otherwise=refused, then=_ALLOW)),
        ("mprotect", _unless_bits(2, _PROT_EXEC, otherwise=refused, then=_ALLOW)),
        ("open", _unless_bits(1, _WRITING, otherwise=_KILL, then=_ERRNO | errno.EACCES)),
        ("openat", _unless_bits(2, _WRITING, otherwise=_KILL, then=_ERRNO | errno.EACCES)),
        # Creating a thread fails as libraries expect. Creating a process is an attack.
        ("clone", _unless_bits(0, _CLONE_THREAD, otherwise=no_thread, then=_KILL)),
        # Its flags lie in memory, which a filter cannot read; glibc then falls back to clone.
        ("clone3", [(_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]),
        ("tgkill", _only_if_equal(0, (pid,))),
        ("prlimit64", _only_if_equal(0, (0, pid))),
    ]
    rules += [(name, [(_RETURN, 0, 0, _KILL)]) for name in _DEADLY]
    for name, body in rules:
        number = NUMBERS[name][column]
        if number is not None:
            program += [(_EQUAL, 0, len(body), number), *body]
    program.append((_RETURN, 0, 0, refused))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def install_filter(program: bytes) -> None:
    """Puts this process under the filter permanently. ``PR_SET_NO_NEW_PRIVS`` must be set.

    Raises:
        OSError: The kernel refuses the filter.
    """
    buffer = ctypes.create_string_buffer(program, len(program))
    described = _Program(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(described), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused the filter of system calls")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _unless_bits(argument: int, mask: int, *, otherwise: int, then: int) -> list[_Instruction]:
    """Returns instructions for ``otherwise`` if the argument has any bit of the mask, ``then`` if not."""
    return [
        (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
        (_ANY_BIT, 0, 1, mask),
        (_RETURN, 0, 0, otherwise),
        (_RETURN, 0, 0, then),
    ]


def _only_if_equal(argument: int, values: tuple[int, ...]) -> list[_Instruction]:
    """Returns instructions that allow the call if the argument is one of the values, and kill if not."""
    body: list[_Instruction] = [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument)]
    for value in values:
        body += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    return [*body, (_RETURN, 0, 0, _KILL)]
