"""One PyTorch program of bench/gpu: serves requests one after another, or trains without end. Prints one JSON line.

Usage: torch_workload.py serve bert|resnet50|vit|llm [--graphs] … | train resnet50|transformer …
  --seconds S         how long to measure; 0: until SIGTERM                                (10)
  --gap-ms MS         serve: the host's rest between two requests                          (2)
  --ready-file FILE   made when measuring begins
  --trace FILE        also record 30 requests or minibatches by the profiler, without stacks
  --cpu               small sizes on the processor: tries the script out"""

import argparse
import json
import signal
import sys
import time

STOPPED = []


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", choices=["serve", "train"])
    parser.add_argument("model", choices=["bert", "resnet50", "vit", "llm", "transformer"])
    parser.add_argument("--graphs", action="store_true")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--gap-ms", type=float, default=2)
    parser.add_argument("--ready-file")
    parser.add_argument("--trace")
    parser.add_argument("--cpu", action="store_true")
    return parser.parse_args()


def record(work, path):
    from torch.profiler import ProfilerActivity, profile  # pylint: disable=import-outside-toplevel
    import torch  # pylint: disable=import-outside-toplevel
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])
    with profile(activities=activities, with_stack=False, record_shapes=False) as profiler:
        for _ in range(30):
            work()
            profiler.step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    profiler.export_chrome_trace(path)


def measure(work, arguments):
    """Latencies and progress over the time asked for."""
    is_serving = arguments.role == "serve"
    latency, starts, progress, count = [], [], [], 0
    began = time.monotonic_ns()
    while not STOPPED and (arguments.seconds == 0 or time.monotonic_ns() - began < arguments.seconds * 1e9):
        start = time.monotonic_ns()
        work()
        now = time.monotonic_ns()
        count += 1
        if is_serving:
            starts.append(start)
            latency.append(now - start)
            time.sleep(arguments.gap_ms / 1e3)
        else:
            progress.append([now, count])
    return {"start_ns": began, "end_ns": time.monotonic_ns(), "count": count, "latency_ns": latency,
            "request_start_ns": starts, "progress": progress}


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: STOPPED.append(True))
    try:
        import torch  # pylint: disable=import-outside-toplevel
    except ImportError:
        sys.exit("torch_workload: no PyTorch; install it, or leave the pytorch parts out")
    import models  # pylint: disable=import-outside-toplevel
    device = "cpu" if arguments.cpu else "cuda"
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch_workload: PyTorch sees no GPU; --cpu tries the script out")
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    if arguments.role == "serve":
        work = models.inference(arguments.model, device, arguments.cpu, arguments.graphs)
    else:
        work = models.training(arguments.model, device, arguments.cpu)
    for _ in range(3 if arguments.cpu else 20):
        work()
    if device == "cuda":
        torch.cuda.synchronize()
    if arguments.trace:
        record(work, arguments.trace)
    if arguments.ready_file:
        with open(arguments.ready_file, "w", encoding="utf-8"):
            pass
    result = measure(work, arguments)
    result["device"] = torch.cuda.get_device_name(0) if device == "cuda" else "cpu"
    result["torch"] = torch.__version__
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
