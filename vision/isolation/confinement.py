"""Confines a worker before it reads the first byte of an untrusted file.

Sources: ``setrlimit(2)``, ``prctl(2)``. The steps, in order: the worker ends with its server; it cannot be
dumped or traced; its memory, files and processes are limited; its system calls are filtered.
"""

import ctypes
import errno
import math
import os
import resource
import signal
import struct
from types import MappingProxyType
from typing import Final

# The numbers of the system calls that the filter names, for the two machines that Facegate runs on.
#
# Sources: Linux ``arch/x86/entry/syscalls/syscall_64.tbl`` and ``include/uapi/asm-generic/unistd.h``, which
# aarch64 follows. The number of a call that a machine does not have is ``None``.

X86_64: Final = 0
AARCH64: Final = 1
"""Columns of ``NUMBERS``."""

NUMBERS: Final = MappingProxyType(
    {
        "accept": (43, 202),
        "accept4": (288, 242),
        "add_key": (248, 217),
        "bind": (49, 200),
        "bpf": (321, 280),
        "brk": (12, 214),
        "chroot": (161, 51),
        "clock_getres": (229, 114),
        "clock_gettime": (228, 113),
        "clock_nanosleep": (230, 115),
        "clone": (56, 220),
        "clone3": (435, 435),
        "close": (3, 57),
        "connect": (42, 203),
        "creat": (85, None),
        "execve": (59, 221),
        "execveat": (322, 281),
        "exit": (60, 93),
        "exit_group": (231, 94),
        "fork": (57, None),
        "fstat": (5, 80),
        "futex": (202, 98),
        "getpid": (39, 172),
        "getrandom": (318, 278),
        "getrusage": (98, 165),
        "gettid": (186, 178),
        "gettimeofday": (96, 169),
        "io_uring_setup": (425, 425),
        "keyctl": (250, 219),
        "kill": (62, 129),
        "link": (86, None),
        "linkat": (265, 37),
        "listen": (50, 201),
        "lseek": (8, 62),
        "madvise": (28, 233),
        "mkdir": (83, None),
        "mkdirat": (258, 34),
        "mknod": (133, None),
        "mknodat": (259, 33),
        "mmap": (9, 222),
        "mount": (165, 40),
        "mprotect": (10, 226),
        "mremap": (25, 216),
        "munmap": (11, 215),
        "nanosleep": (35, 101),
        "open": (2, None),
        "openat": (257, 56),
        "openat2": (437, 437),
        "perf_event_open": (298, 241),
        "pidfd_getfd": (438, 438),
        "pidfd_open": (434, 434),
        "pidfd_send_signal": (424, 424),
        "pivot_root": (155, 41),
        "poll": (7, None),
        "ppoll": (271, 73),
        "pread64": (17, 67),
        "prlimit64": (302, 261),
        "process_vm_readv": (310, 270),
        "process_vm_writev": (311, 271),
        "ptrace": (101, 117),
        "read": (0, 63),
        "readv": (19, 65),
        "rename": (82, None),
        "renameat": (264, 38),
        "renameat2": (316, 276),
        "request_key": (249, 218),
        "restart_syscall": (219, 128),
        "rseq": (334, 293),
        "rt_sigaction": (13, 134),
        "rt_sigprocmask": (14, 135),
        "rt_sigqueueinfo": (129, 138),
        "rt_sigreturn": (15, 139),
        "rt_tgsigqueueinfo": (297, 240),
        "sched_getaffinity": (204, 123),
        "sched_yield": (24, 124),
        "sendmmsg": (307, 269),
        "sendmsg": (46, 211),
        "sendto": (44, 206),
        "setns": (308, 268),
        "sigaltstack": (131, 132),
        "socket": (41, 198),
        "socketpair": (53, 199),
        "symlink": (88, None),
        "symlinkat": (266, 36),
        "tgkill": (234, 131),
        "tkill": (200, 130),
        "truncate": (76, 45),
        "umount2": (166, 39),
        "unlink": (87, None),
        "unlinkat": (263, 35),
        "unshare": (272, 97),
        "userfaultfd": (323, 282),
        "vfork": (58, None),
        "write": (1, 64),
        "writev": (20, 66),
    }
)
"""The numbers on x86_64 and on aarch64, by name."""

# The filter of a worker's system calls, which allows only those that a decoder needs.
#
# The filter allows calls that a decoder needs. Calls that only an attacker makes kill the process, so that
# the attack is noticed. Every other call fails with EPERM, which harmless code handles. Files can no longer
# be opened, not even to read, because everything was loaded before.
#
# Source: Linux ``Documentation/userspace-api/seccomp_filter.rst``, ``include/uapi/linux/seccomp.h`` and
# ``linux/filter.h`` (classic BPF).

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
    """Return the filter as a classic BPF program, 8 bytes per instruction, in the machine's byte order.

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
    """Put this process under the filter permanently. ``PR_SET_NO_NEW_PRIVS`` must be set.

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
    """Return instructions for ``otherwise`` if the argument has any bit of the mask, ``then`` if not."""
    return [
        (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
        (_ANY_BIT, 0, 1, mask),
        (_RETURN, 0, 0, otherwise),
        (_RETURN, 0, 0, then),
    ]


def _only_if_equal(argument: int, values: tuple[int, ...]) -> list[_Instruction]:
    """Return instructions that allow the call if the argument is one of the values, and kill if not."""
    body: list[_Instruction] = [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument)]
    for value in values:
        body += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    return [*body, (_RETURN, 0, 0, _KILL)]


NO_FILTER_FOR_MACHINE: Final = -1
"""Returned instead of an errno: no filter is known for this kind of machine."""

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_MOST_FILES = 16
_NICENESS = 5


def die_with(parent: int) -> None:
    """Make the kernel kill this process when the thread that started it ends.

    Raises:
        SystemExit: The parent has ended already.
        OSError: The kernel refuses the call.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the server is gone")


def confine(*, memory_bytes: int) -> int:
    """Give up everything that a decoder does not need. Call it after all imports.

    Args:
        memory_bytes: Address space that may be mapped in addition to the present mappings.

    Returns:
        0 if system calls are filtered. Otherwise the errno with which the kernel refused the filter, or
        ``NO_FILTER_FOR_MACHINE``.

    Raises:
        OSError: A limit cannot be set.
    """
    _prctl(_PR_SET_DUMPABLE, 0)
    # Large images must not delay the frames of scans, for which people wait.
    os.nice(_NICENESS)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    # A core dump would write a person's image to the disk.
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, _MOST_FILES)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_AS, _address_space() + memory_bytes)
    try:
        install_filter(build_filter(os.uname().machine, pid=os.getpid()))
    except UnknownMachine:
        return NO_FILTER_FOR_MACHINE
    except OSError as error:
        return error.errno or NO_FILTER_FOR_MACHINE
    return 0


def allow_cpu_seconds(seconds: float) -> None:
    """Set the limit of CPU time to ``seconds`` from now. Beyond it, SIGXCPU ends the process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(usage.ru_utime + usage.ru_stime + seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(
        resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard)
    )


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _address_space() -> int:
    """Return the size of this process's mappings, bytes."""
    with open("/proc/self/statm", encoding="ascii") as pages:  # noqa: PTH123 - pathlib is not loaded here
        return int(pages.read().split()[0]) * resource.getpagesize()


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} was refused")
