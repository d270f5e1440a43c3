"""How a benchmark ends: its lines printed as they come (--json) or as one table, what it started stopped
whatever happens. Standard library alone."""

import json
import shutil
import sys
import tempfile


def run(make_runner, options, measure, print_table, failure, log):
    """`make_runner(options, folder)`; `measure(runner, options)` yields lines. The exit code: 1 where `failure` was raised."""
    directory = tempfile.mkdtemp(prefix="mortar-bench-", dir="/dev/shm")
    runner = None
    rows = []
    try:
        runner = make_runner(options, directory)
        for row in measure(runner, options):
            rows.append(row)
            if options.json:
                print(json.dumps(row), flush=True)
        if not options.json:
            print_table(rows)
    except failure as error:
        log(str(error))
        return 1
    finally:
        if runner is not None:
            runner.stop()
        shutil.rmtree(directory, ignore_errors=True)
    return 0


def main(entry, failure=(), log=None):
    """Ends the process with `entry()`'s code; 1 where it raises `failure`, whose words are logged."""
    try:
        sys.exit(entry())
    except failure as error:
        log(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
