"""The emulated device across processes: one command at a time, as long as the table says, whoever dies.

Usage: timeline_test.py LAYER PROBE. Exit code 77: no OpenCL device, or the layer is not built.
"""

import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

LAYER, PROBE = "", ""
FIRST_NS, SECOND_NS = 300_000, 90_000


class TimelineTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="mortar-timeline-", dir="/dev/shm")
        table = os.path.join(self.directory, "table.txt")
        with open(table, "w", encoding="ascii") as file:
            file.write("device probed\nkernel first 300\nkernel second 90\n")
        self.environment = dict(os.environ, OPENCL_LAYERS=LAYER, MORTAR_EMULATED=table, MORTAR_DIR=self.directory,
                                POCL_MAX_PTHREAD_COUNT="1")
        self.environment.pop("POCL_DEVICES", None)

    def tearDown(self):
        shutil.rmtree(self.directory)

    def start(self, kernels):
        return subprocess.Popen([PROBE, str(kernels)], env=self.environment, stdout=subprocess.PIPE, text=True)

    def spans(self, process):
        printed, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        return [tuple(int(word) for word in line.split()) for line in printed.splitlines()]

    def sums(self):
        """(busy ns, commands) of the device: src/emulated/timeline.h."""
        with open(os.path.join(self.directory, "emulated", "probed.timeline"), "rb") as file:
            return struct.unpack_from("QQ", file.read(256), 128)

    def test_lengths_are_the_tables(self):
        spans = self.spans(self.start(20))
        self.assertEqual([end - start for start, end in spans], [FIRST_NS, SECOND_NS] * 10)
        self.assertEqual(self.sums(), (10 * (FIRST_NS + SECOND_NS), 20))

    def test_processes_take_turns_and_never_overlap(self):
        processes = [self.start(60) for _ in range(3)]
        spans = [span for process in processes for span in self.spans(process)]
        spans.sort()
        self.assertEqual(len(spans), 180)
        for (_, end), (start, _) in zip(spans, spans[1:]):
            self.assertLessEqual(end, start)
        self.assertEqual(self.sums(), (90 * (FIRST_NS + SECOND_NS), 180))

    def test_killed_process_holds_nobody_up(self):
        for _ in range(5):
            victim = self.start(100_000)
            while not os.path.exists(os.path.join(self.directory, "emulated", "probed.timeline")):
                pass
            before = self.sums()[1]
            while self.sums()[1] < before + 20 and victim.poll() is None:
                pass
            victim.send_signal(signal.SIGKILL)
            survivor = self.start(10)
            victim.communicate()
            self.assertEqual(len(self.spans(survivor)), 10)


if __name__ == "__main__":
    LAYER, PROBE = sys.argv[1:3]
    if not os.path.exists(LAYER) or subprocess.run([PROBE, "1"], check=False, capture_output=True).returncode == 77:
        print("timeline_test: skipped: no layer, or no OpenCL device; install pocl-opencl-icd")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
