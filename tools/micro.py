"""Runs every *_bench program of a folder. With --json, their Google Benchmark reports come out as one document.

Usage: micro.py FOLDER [--json] [ARGUMENT FOR GOOGLE BENCHMARK…]"""

import glob
import json
import os
import subprocess
import sys
import tempfile


def run_json(program, arguments):
    """The program's report; its own stdout goes to ours's stderr, so that nothing mixes with the document."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        subprocess.run([program, f"--benchmark_out={report.name}", "--benchmark_out_format=json", *arguments],
                       stdout=sys.stderr, check=True)
        text = report.read()
    if not text.strip():  # a filter that matches nothing in this program
        return {"context": {}, "benchmarks": []}
    return json.loads(text)


def main():
    folder, arguments = sys.argv[1], sys.argv[2:]
    as_json = "--json" in arguments
    arguments = [argument for argument in arguments if argument != "--json"]
    programs = sorted(glob.glob(os.path.join(folder, "*_bench")))
    if not programs:
        sys.exit(f"micro: no *_bench program in {folder}; is libbenchmark-dev installed?")
    merged = {"context": {}, "benchmarks": []}
    for program in programs:
        print(f"micro: {os.path.basename(program)}", file=sys.stderr)
        if not as_json:
            subprocess.run([program, *arguments], check=True)
            continue
        report = run_json(program, arguments)
        # The machine is the same for all of them; which program a benchmark is from stands beside it.
        merged["context"] = merged["context"] or report["context"]
        for benchmark in report["benchmarks"]:
            merged["benchmarks"].append({**benchmark, "program": os.path.basename(program)})
    if as_json:
        merged["context"].pop("executable", None)
        json.dump(merged, sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"micro: {' '.join(error.cmd)} ended with {error.returncode}")
