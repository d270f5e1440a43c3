"""Reads NVIDIA's CUDA driver headers: every function that libcuda.so.1 exports, with all its versions.

Facts alone leave this module: names, versions, parameter types and numbers. A C preprocessor (cc) is needed.
"""

import os
import re
import subprocess
import tempfile

HEADERS = ("cuda.h", "cudaProfiler.h", "cudaGL.h", "cudaEGL.h", "cudaVDPAU.h")
TYPEDEFS = ("cudaTypedefs.h", "cudaProfilerTypedefs.h", "cudaGLTypedefs.h", "cudaEGLTypedefs.h",
            "cudaVDPAUTypedefs.h")

# What the interoperability headers include of others: machines that build need not have those.
STAND_INS = {
    "GL/gl.h": "typedef unsigned int GLuint; typedef unsigned int GLenum;",
    "EGL/egl.h": "typedef int EGLint;",
    "EGL/eglext.h": "typedef void* EGLStreamKHR; typedef void* EGLImageKHR; typedef void* EGLSyncKHR;",
    "vdpau/vdpau.h": "typedef unsigned int VdpDevice; typedef int VdpGetProcAddress;"
                     " typedef unsigned int VdpVideoSurface; typedef unsigned int VdpOutputSurface;",
}


class HeaderError(Exception):
    """The headers cannot be read."""


class Function:
    """One exported symbol: its name, and (type, name) of each parameter."""

    def __init__(self, name, parameters):
        self.name = name
        self.parameters = parameters
        match = re.match(r"(\w+?)(?:_v(\d))?(_ptsz|_ptds)?$", name)
        self.base = match[1]
        self.revision = int(match[2] or 1)
        self.per_thread = match[3] or ""

    def parameter(self, *names):
        """The name of the first parameter that is one of `names`, or None."""
        for _, own in self.parameters:
            if own in names:
                return own
        return None


def preprocess(folder):
    with tempfile.TemporaryDirectory() as stand_ins:
        for path, text in STAND_INS.items():
            whole = os.path.join(stand_ins, path)
            os.makedirs(os.path.dirname(whole), exist_ok=True)
            with open(whole, "w", encoding="utf-8") as out:
                out.write(text)
        source = "".join(f"#include <{header}>\n" for header in HEADERS)
        # __CUDA_API_VERSION_INTERNAL shows all versions of a function, under the names that are exported.
        command = ["cc", "-E", "-P", "-xc", "-D__CUDA_API_VERSION_INTERNAL", "-DCUDA_ENABLE_DEPRECATED",
                   "-I", stand_ins, "-I", folder, "-"]
        done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise HeaderError(f"read {folder}: {done.stderr.strip().splitlines()[0]}; give the folder of cuda.h")
    return " ".join(re.sub(r"__attribute__\s*\(\(.*?\)\)", "", done.stdout).split())


def split_parameter(text):
    text = text.strip()
    match = re.match(r"(.*?)\b(\w+)\s*$", text)
    kind, name = match[1].strip(), match[2]
    return re.sub(r"\s*\*", "*", kind), name


def read_functions(text):
    """All functions, in the order of their names."""
    found = {}
    for result, name, parameters in re.findall(r"\b([A-Za-z_][\w ]*?[\s*]+)(cu[A-Z]\w*)\s*\(([^;{}]*)\)\s*;", text):
        if "typedef" in result:
            continue
        if result.strip() != "CUresult":
            raise HeaderError(f"{name} returns {result.strip()}: not a CUresult; teach tools/cuda about it")
        listed = [] if parameters.strip() == "void" else [split_parameter(p) for p in parameters.split(",")]
        found[name] = Function(name, listed)
    if "cuLaunchKernel_ptsz" not in found:
        raise HeaderError("the headers show no per-thread variants; tools/cuda must be taught their new ways")
    return [found[name] for name in sorted(found)]


def read_types(text):
    """(handles, enumerations): names of opaque pointers and of enumerations."""
    handles = set(re.findall(r"typedef struct \w+ ?\* ?(CU\w+);", text))
    enumerations = set(re.findall(r"typedef enum \w* ?\{[^}]*\} ?(CU\w+);", text))
    aliases = re.findall(r"typedef (CU\w+) (CU\w+);", text)
    for _ in range(3):
        for old, new in aliases:
            if old in handles:
                handles.add(new)
            if old in enumerations:
                enumerations.add(new)
    return handles, enumerations


def read_enumerators(text, name):
    """(enumerator, value) of the enumeration `name`, in its order; aliases left out."""
    body = re.search(r"typedef enum \w* ?\{([^}]*)\} ?" + name + r";", text)[1]
    known, listed = {}, []
    value = -1
    for item in body.split(","):
        item = item.strip()
        if not item:
            continue
        label, _, given = (part.strip() for part in item.partition("="))
        if given in known:
            value = known[given]
        else:
            value = int(given, 0) if given else value + 1
            listed.append((label, value))
        known[label] = value
    return listed


def read_versions(folder, functions):
    """(base, per-thread suffix, version, symbol): what cuGetProcAddress knows, by base, suffix and version.

    The typedef headers tell each version of a function and not its symbol; both count upwards alike.
    """
    text = ""
    for header in TYPEDEFS:
        with open(os.path.join(folder, header), encoding="utf-8") as file:
            text += file.read()
    versions = {}
    for base, version, suffix in re.findall(r"PFN_(cu\w+?)_v(\d+)(_pt[sd][sz])?\)\s*\(", text):
        versions.setdefault((base, suffix), set()).add(int(version))
    symbols = {}
    for function in functions:
        symbols.setdefault((function.base, function.per_thread), []).append(function)
    mapped = []
    for key, listed in sorted(symbols.items()):
        listed.sort(key=lambda function: function.revision)
        known = sorted(versions.get(key, ()))
        if len(known) != len(listed):
            raise HeaderError(f"{key[0]}{key[1]}: {len(listed)} symbols but {len(known)} versions")
        mapped += [(*key, version, function.name) for version, function in zip(known, listed)]
    return mapped


def toolkit_version(folder):
    with open(os.path.join(folder, "cuda.h"), encoding="utf-8") as file:
        return int(re.search(r"#define CUDA_VERSION (\d+)", file.read())[1])


def read_runtime_functions(folder):
    """Names of what the runtime library exports by its header, each with its per-thread default stream's form."""
    with open(os.path.join(folder, "cuda_runtime_api.h"), encoding="utf-8") as file:
        text = file.read()
    names = set(re.findall(r"^\s*extern\b[^;{]*?\bCUDARTAPI(?:_CDECL)?\s+(cuda\w+)\s*\(", text, re.MULTILINE))
    for name, kind in re.findall(r"#\s*define\s+(cuda\w+)\s+__CUDART_API_PT(SZ|DS)\(cuda\w+\)", text):
        if name in names:
            names.add(f"{name}_pt{kind.lower()}")
    if len(names) < 100:
        raise HeaderError("cuda_runtime_api.h declares hardly any function; teach tools/cuda/headers.py")
    return sorted(names)


def read_runtime_errors(folder):
    """(name, value) of each cudaError."""
    with open(os.path.join(folder, "driver_types.h"), encoding="utf-8") as file:
        body = re.search(r"enum\s+__device_builtin__\s+cudaError\s*\{(.*?)\};", file.read(), re.DOTALL)
    if body is None:
        raise HeaderError("driver_types.h has no enum cudaError; teach tools/cuda/headers.py")
    text = re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL)
    return [(name, int(value)) for name, value in re.findall(r"(cuda\w+)\s*=\s*(\d+)", text)]
