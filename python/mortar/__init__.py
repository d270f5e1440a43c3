"""What a program may tell Mortar about itself: its requests and minibatches, priority and limits.

    import mortar

    for batch in loader:
        with mortar.minibatch():
            train(batch)

    with mortar.request():
        answer = model(question)

Works in any program, with or without Mortar: where `mortar run` has not loaded it into the process, all of this does
nothing. Marks belong to the calling thread; make them in the thread that submits and waits. Python 3.9 or later, no
compiled part; see include/mortar/mortar.h for the same in C.
"""

import contextlib
import ctypes
import os
import time

__all__ = ["request", "minibatch", "set_priority", "set_max_slowdown", "set_weight", "scheduled"]
__version__ = "0.1.0"

_ENDINGS = ("/libmortar-opencl.so", "/mortar/cuda/libcuda.so.1")
_LOOK_EVERY_S = 1.0  # a library may be loaded late, with the first use of a device
_REQUEST_BEGIN, _REQUEST_END, _MINIBATCH_BEGIN, _MINIBATCH_END = 1, 2, 3, 4
_PRIORITY, _MAX_SLOWDOWN_PPM, _WEIGHT_PERMILLE = 5, 6, 7
_NOT_THERE, _INVALID = 1, -1

_functions = {}  # path of a library -> its mortar_hint
_looked_at = None
_settings = {}  # told again to a library that is loaded later


def _loaded():
    """Paths of the copies of Mortar in this process."""
    paths = set()
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            for line in maps:
                path = line.rstrip("\n").split(None, 5)[-1]
                if path.endswith(_ENDINGS):
                    paths.add(path)
    except OSError:
        pass
    return paths


def _look():
    global _looked_at
    now = time.monotonic()
    if _looked_at is not None and now - _looked_at < _LOOK_EVERY_S:
        return
    _looked_at = now
    for path in _loaded() - _functions.keys():
        try:
            function = ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_NOLOAD).mortar_hint
        except (OSError, AttributeError):
            continue
        function.argtypes = [ctypes.c_uint, ctypes.c_longlong]
        function.restype = ctypes.c_int
        _functions[path] = function
        for hint, value in _settings.items():
            function(hint, value)


def _tell(hint, value=0):
    """MORTAR_OK (0) if some copy of Mortar took the hint, 1 where there is none, -1 if one refused it."""
    _look()
    answer = _NOT_THERE
    for function in _functions.values():
        one = function(hint, value)
        if answer == _NOT_THERE or one == _INVALID:
            answer = one
    return answer


@contextlib.contextmanager
def request():
    """What runs inside is one request: it counts for `--max-slowdown`."""
    _tell(_REQUEST_BEGIN)
    try:
        yield
    finally:
        _tell(_REQUEST_END)


@contextlib.contextmanager
def minibatch():
    """What runs inside is one minibatch: counted and timed (`mortar status --json`), and a request of its own
    unless it lies inside one."""
    _tell(_MINIBATCH_BEGIN)
    try:
        yield
    finally:
        _tell(_MINIBATCH_END)


def _set(hint, value):
    _settings[hint] = value
    return _tell(hint, value) == 0


def set_priority(priority):
    """0 (highest) to 9. True if this process is scheduled by Mortar; ValueError if out of range."""
    if isinstance(priority, bool) or not isinstance(priority, int) or not 0 <= priority <= 9:
        raise ValueError(f"priority {priority!r} is not a whole number from 0 (highest) to 9")
    return _set(_PRIORITY, priority)


def set_max_slowdown(share):
    """The slowdown of requests that is accepted: 0.02 is 2 %. As set_priority."""
    if not 0 <= share <= 10:
        raise ValueError(f"max_slowdown {share!r} is not from 0 to 10 (0.02 is 2 %)")
    return _set(_MAX_SLOWDOWN_PPM, round(share * 1e6))


def set_weight(weight):
    """The share among clients of the same priority, 0.001 to 1000. As set_priority."""
    if not 0.001 <= weight <= 1000:
        raise ValueError(f"weight {weight!r} is not from 0.001 to 1000")
    return _set(_WEIGHT_PERMILLE, round(weight * 1000))


def scheduled():
    """True if a copy of Mortar is in this process."""
    global _looked_at
    _looked_at = None
    _look()
    return bool(_functions)
