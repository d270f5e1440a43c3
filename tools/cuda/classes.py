"""What Mortar does at each function of the driver: the one table that is written by hand.

Classes:
  launch    starts a kernel or a graph; a handler of its own (launches.cc)
  transfer  copies, sets or moves memory on the device; a handler made from a row (transfers.cc)
  order     occupies a stream, not the device: never held; a handler made from a row (transfers.cc)
  callback  has the driver call the program: never held, nor what the program submits from there (callbacks.cc)
  wait      the host waits for the device; poll: it asks
  record    puts an event into a stream: never held; tells later which submits a wait covered
  capture   opens or closes a capture
  resolve   hands out functions, kernels or names
  context   makes or ends contexts and streams; graph: makes what a graph launch launches
  begin     the first call of a program
  memory    takes device memory, gives it back, or tells how much there is
  plain     is none of Mortar's business: forwarded

Submits are launch, transfer, order, callback and record.
"""

import re

SUBMITS = ("launch", "transfer", "order", "callback", "record")
MADE_FROM_ROWS = ("transfer", "order")

# The first pattern that matches the name without _vN, _ptsz and _ptds decides.
RULES = (
    ("callback", r"cuLaunchHostFunc|cuStreamAddCallback"),
    ("launch", r"cuLaunch\w*|cuGraphLaunch"),
    ("transfer", r"cuMemcpy\w*|cuMemset\w*|cuMemPrefetch\w*Async|cuMemDiscardAndPrefetchBatchAsync|"
                 r"cuMemBatchDecompressAsync"),
    ("order", r"cuStreamWaitValue\d+|cuStreamWriteValue\d+|cuStreamBatchMemOp|cuStreamAttachMemAsync|"
              r"cuMemDiscardBatchAsync|cuMemMapArrayAsync|cuSignalExternalSemaphoresAsync|"
              r"cuWaitExternalSemaphoresAsync|cuGraphicsMapResources|cuGraphicsUnmapResources|cuGraphUpload|"
              r"cuMemAllocAsync|cuMemAllocFromPoolAsync|cuMemFreeAsync|cuStreamWaitEvent"),
    # Freeing memory waits for whatever may use it.
    ("wait", r"cuStreamSynchronize|cuEventSynchronize|cuCtxSynchronize|cuMemFree"),
    ("poll", r"cuStreamQuery|cuEventQuery"),
    ("record", r"cuEventRecord|cuEventRecordWithFlags"),
    ("capture", r"cuStreamBeginCapture|cuStreamBeginCaptureToGraph|cuStreamEndCapture"),
    ("resolve", r"cuGetProcAddress|cuModuleGetFunction|cuLibraryGetKernel|cuKernelGetFunction|"
                r"cuModuleEnumerateFunctions|cuLibraryEnumerateKernels"),
    ("begin", r"cuInit"),
    ("context", r"cuCtxCreate|cuCtxDestroy|cuCtxDetach|cuDevicePrimaryCtx(Retain|Release|Reset)|"
                r"cuStreamCreate|cuStreamCreateWithPriority|cuGreenCtxStreamCreate|cuStreamDestroy|"
                r"cuGreenCtxDestroy"),
    ("graph", r"cuGraphInstantiate\w*"),
    ("memory", r"cuMemAlloc|cuMemAllocPitch|cuMemAllocManaged|cuArrayCreate|cuArray3DCreate|cuArrayDestroy|"
               r"cuMipmappedArrayCreate|cuMipmappedArrayDestroy|cuMemCreate|cuMemRelease|"
               r"cuMemRetainAllocationHandle|cuMemMap|cuMemUnmap|cuMemPoolTrimTo|cuMemPoolDestroy|cuMemGetInfo|"
               r"cuDeviceTotalMem"),
)


def class_of(function):
    for name, pattern in RULES:
        if re.fullmatch(pattern, function.base):
            return name
    return "plain"


def kind_of(base):
    """What a transfer or order is called in reports; part of its identity."""
    for pattern, kind in (
            (r"cuMemcpy(2D|3D)?\w*Batch\w*", "batch of copies"), (r"cuMemcpyHto\w+", "copy to device"),
            (r"cuMemcpy\wtoH\w*", "copy to host"), (r"cuMemcpy\w*Peer\w*", "copy to peer"),
            (r"cuMemcpy\wto\w+", "copy on device"), (r"cuMemcpy\w*", "copy"), (r"cuMemset\w*", "set memory"),
            (r"cuMem\w*Prefetch\w*", "prefetch"), (r"cuMemBatchDecompressAsync", "decompress"),
            (r"cuStream(Wait|Write)Value\d+|cuStreamBatchMemOp", "stream memory operation"),
            (r"cuMem(Alloc|Free)\w*", "stream-ordered allocation"), (r"cuGraphUpload", "graph upload"),
            (r"cuStreamWaitEvent", "wait for event"), (r"\w*Semaphores\w*", "external semaphore"),
            (r"cuGraphics\w+", "graphics resource"), (r"\w+", "mapping")):
        if re.fullmatch(pattern, base):
            return kind
    raise AssertionError(base)


def bytes_of(function):
    """A C++ expression of a transfer's size, from its parameters."""
    if (copy := function.parameter("pCopy")) is not None:
        return f"BytesOf({copy})"
    if (count := function.parameter("ByteCount")) is not None:
        return count
    width = re.match(r"cuMemsetD(?:2D)?(\d+)", function.base)
    if width:
        size = int(width[1]) // 8
        amount = "std::size_t{Width} * Height" if function.parameter("Width") else "std::size_t{N}"
        return amount if size == 1 else f"{amount} * {size}"
    if function.parameter("sizes") and function.parameter("count"):
        return "SumOf(sizes, count)"
    if function.base == "cuMemPrefetchAsync":
        return "count"
    return "0"


def waits_of(function):
    """(when the call itself waits for the device, the host's pointer): kNever, kAlways, or kIfPageable."""
    base = function.base
    if not base.startswith("cuMemcpy") or "Batch" in base:
        return "kNever", "nullptr"
    asynchronous = base.endswith("Async")
    host = function.parameter("srcHost", "dstHost")
    if host is not None:
        return ("kIfPageable", host) if asynchronous else ("kAlways", host)
    if "Peer" in base or re.match(r"cuMemcpy[AD]to[AD]", base):
        return "kNever", "nullptr"
    if not asynchronous:
        return "kAlways", "nullptr"
    if function.parameter("pCopy"):
        return "kIfPageable", "HostOf(pCopy)"
    return "kIfPageable", "reinterpret_cast<const void*>(dst)"


def stream_of(function):
    """A C++ expression of the stream; no parameter means the default stream."""
    named = [name for kind, name in function.parameters if kind == "CUstream"]
    return named[0] if named else "nullptr"
