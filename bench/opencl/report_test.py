"""Tests of the demo's arithmetic, its reading of traces and its page. Standard library alone."""

import gzip
import json
import os
import re
import struct
import tempfile
import unittest
from types import SimpleNamespace

import demo_programs
import demo_summary
import report
import report_plots
import report_timeline


def run(kind, repetition, latencies=None, speed=None, busy=(0, 0), status=None):
    reports = {}
    if latencies is not None:
        reports["serve"] = {"latencies_ms": latencies, "wrong": 0, "requests": len(latencies), "device": "CPU"}
    if speed is not None:
        reports["train"] = {"steps_per_s": speed, "first_loss": 2.4, "last_loss": 0.3}
    return {"kind": kind, "repetition": repetition, "reports": reports, "status": status, "elapsed_s": 2.0,
            "busy_ns": {"serve": busy[0], "train": busy[1]}}


def client(modelled, measured):
    return {"clients": [{"name": "serve", "harm_modelled": modelled, "harm_measured": measured},
                        {"name": "train", "harm_modelled": 9.0, "harm_measured": None}]}


def example_runs():
    known = {"mean": 0.02, "low": 0.01, "high": 0.03}
    return [run("serve", 0, [4.0] * 98 + [5.0, 8.0], busy=(200_000_000, 0)), run("train", 0, speed=200.0, busy=(0, 2_000_000_000)),
            run("fill", 0, [4.2] * 98 + [5.5, 9.0], 150.0, (200_000_000, 1_400_000_000), client(0.01, known)),
            run("serve", 1, [4.0] * 98 + [6.0, 8.0], busy=(200_000_000, 0)), run("train", 1, speed=210.0, busy=(0, 2_000_000_000)),
            run("fill", 1, [4.2] * 98 + [5.4, 9.0], 147.0, (200_000_000, 1_400_000_000), client(0.03, None))]


def example_results():
    arguments = SimpleNamespace(policies=["fill"], rate=50.0, seconds=2.0, repetitions=2, max_slowdown="2%", host_us=300.0)
    cut = {"policy": "fill", "span_ms": 9.0, "requests": [(0.4, 3.9)], "serve": [(0.4, 0.6, "Xgemv", False, True)],
           "train": [(0.7, 2.0, "Xgemm<direct>", True, False)]}
    return demo_summary.summarize(example_runs(), [cut], arguments)


class SummaryTest(unittest.TestCase):
    def test_quantile_is_nearest_rank(self):
        self.assertEqual(demo_summary.quantile([3, 1, 2], 0.5), 2)
        self.assertEqual(demo_summary.quantile(list(range(1, 101)), 0.99), 99)
        self.assertEqual(demo_summary.quantile(list(range(1, 102)), 0.99), 100)  # 99.99 rounds up
        self.assertEqual(demo_summary.quantile([7], 0.99), 7)

    def test_ratios_are_against_alone_in_the_same_repetition(self):
        row = example_results()["policies"][0]
        self.assertAlmostEqual(row["serve"]["median_x"], 4.2 / 4.0)
        # The 198th of 200 latencies: 5.5 of fill (5.4, 5.5, 9, 9 are the last four), 6.0 of alone (5, 6, 8, 8).
        self.assertAlmostEqual(row["serve"]["p99_x"], 5.5 / 6.0)
        self.assertEqual(row["serve"]["p99_x_range"], [5.4 / 6.0, 5.5 / 5.0])
        self.assertEqual(row["train"]["x_range"], [147.0 / 210.0, 150.0 / 200.0])

    def test_device_time_adds_up(self):
        device = example_results()["policies"][0]["device"]
        self.assertAlmostEqual(device["serve"], 0.1)
        self.assertAlmostEqual(device["train"], 0.7)
        self.assertAlmostEqual(device["idle"], 0.2)

    def test_harm_is_the_holders_and_unknown_stays_unknown(self):
        harm = example_results()["policies"][0]["harm"]
        self.assertAlmostEqual(harm["modelled"], 0.02)
        self.assertAlmostEqual(harm["measured"], 0.02)  # one repetition measured nothing: it is left out
        self.assertIsNone(demo_summary.harm([run("share", 0, [1.0], status=client(None, None))]))

    def test_a_noisy_machine_is_named(self):
        quiet = [run("serve", i, [4.0 + 0.1 * i]) for i in range(3)]
        self.assertEqual(demo_summary.noise(quiet)["words"], "")
        self.assertIn("too noisy", demo_summary.noise([*quiet, run("serve", 3, [4.5])])["words"])

    def test_table_says_what_is_emulated(self):
        text = demo_summary.table(example_results(), False)
        self.assertIn("EMULATED DEVICE", text)
        self.assertEqual(len([line for line in text.splitlines() if line.startswith(("alone", "fill"))]), 2)
        for line in demo_summary.table(example_results(), True).splitlines():
            self.assertEqual(json.loads(line)["policy"], "fill")


class ProgramsTest(unittest.TestCase):
    def test_device_sums_reads_the_timeline_file(self):
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(os.path.join(directory, "emulated"))
            lines = [struct.pack("<QQQQiI16s8x", 5_000, 3, 0, 0, pid, 0, name) for pid, name in
                     ((11, b"serve"), (12, b"train"), (13, b"serve"), (0, b"nobody"))]
            with open(os.path.join(directory, "emulated", "demo.timeline"), "wb") as file:
                file.write(bytes(192) + b"".join(lines))
            self.assertEqual(demo_programs.device_sums(SimpleNamespace(directory=directory)),
                             {"serve": 10_000, "train": 5_000})


def event(pid, category, start, length, name="k", **arguments):
    return {"ph": "X", "ts": start, "dur": length, "pid": pid, "tid": 1, "cat": category, "name": name, "args": arguments}


class TimelineTest(unittest.TestCase):
    def cut(self, events):
        names = [{"ph": "M", "pid": pid, "name": "process_name", "args": {"name": name}}
                 for pid, name in ((1, "serve (priority 0)"), (2, "train (priority 5)"))]
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "run.json.gz")
            with gzip.open(path, "wt", encoding="utf-8") as file:
                json.dump({"traceEvents": names + events}, file)
            return report_timeline.cut_trace(path, "fill")

    def test_a_request_runs_from_its_first_submit_to_the_end_of_its_wait(self):
        events = []
        for begin in (10_000, 30_000, 50_000):
            events += [event(1, "kernel", begin + 300 * i, 100, submitted_before_us=50) for i in range(5)]
            events.append(event(1, "wait", begin + 1200, 300))
            events.append(event(2, "kernel,fill,predicted", begin + 100, 150, "fill: gemm", fill=True))
        cut = self.cut(events)
        # Cut 400 us before a request's first submit: [begin - 50, begin + 1500] us.
        self.assertEqual([[round(time, 6) for time in request] for request in cut["requests"]], [[0.4, 1.95]])
        self.assertEqual(len(cut["serve"]), 5)
        self.assertEqual(cut["train"][0][2:], ("gemm", True, False))

    def test_a_request_of_usual_fills_is_typical(self):
        requests = [(0, 1000), (2000, 3000), (4000, 5000), (6000, 7000), (8000, 9000), (10000, 50000)]
        fills = [event(2, "kernel,fill", begin + 100, length) for begin, length in ((2000, 300), (4000, 300), (6000, 900))]
        self.assertIn(report_timeline.typical_of(requests, fills), [(2000, 3000), (4000, 5000)])

    def test_without_requests_there_is_no_cut(self):
        self.assertIsNone(self.cut([event(2, "kernel", 0, 100)]))


class PageTest(unittest.TestCase):
    def test_page_is_self_contained_and_honest(self):
        html = report.page(example_results())
        self.assertIsNone(re.search(r'(src|href)=|url\(|@import|<script', html))
        self.assertIn("Emulated", html)
        self.assertIn("Xgemm&lt;direct&gt;", html)

    def test_labels_do_not_meet(self):
        words = ["share", "priority", "fill"]
        placed = report_plots.place_labels([(100, 100), (103, 101), (101, 98)], words, 700, 300)
        boxes = [(x if anchor == "start" else x - 7 * len(word), y - 11, x if anchor == "end" else x + 7 * len(word), y)
                 for (x, y, anchor), word in zip(placed, words)]
        for i, one in enumerate(boxes):
            for other in boxes[:i]:
                self.assertTrue(one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1],
                                (one, other))

    def test_steps_are_one_two_or_five(self):
        self.assertEqual([report_plots.nice_step(span, 5) for span in (10, 26, 4.9, 300)], [2, 10, 1, 100])


if __name__ == "__main__":
    unittest.main()
