"""The benchmark's arithmetic (bench/opencl/emulated_figures.py) against values worked out by hand."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench", "opencl"))

import emulated_figures as figures  # noqa: E402  (found by the path above)


class QuantileTest(unittest.TestCase):
    def test_is_a_value_that_enough_others_do_not_exceed(self):
        values = list(range(100, 0, -1))
        self.assertEqual(figures.quantile(values, 0.5), 50)
        self.assertEqual(figures.quantile(values, 0.99), 99)
        self.assertEqual(figures.quantile(values, 1.0), 100)
        self.assertEqual(figures.quantile([7], 0.01), 7)

    def test_median_of_even_count_lies_between(self):
        self.assertEqual(figures.median([4, 1, 3, 2]), 2.5)
        self.assertEqual(figures.median([3, 1, 2]), 2)


class ProgressTest(unittest.TestCase):
    progress = figures.Progress([(100, 1), (200, 11), (400, 11), (500, 31)])

    def test_between_samples_in_proportion(self):
        self.assertEqual(self.progress.at(150), 6)
        self.assertEqual(self.progress.at(300), 11)
        self.assertEqual(self.progress.at(0), 1)
        self.assertEqual(self.progress.at(900), 31)

    def test_windows_add_up(self):
        self.assertEqual(self.progress.kernels([(100, 150), (450, 500)]), 15)
        self.assertEqual(self.progress.rate([(100, 150), (450, 500)]), 15 / 100 * 1e9)
        self.assertEqual(self.progress.rate(None), 30 / 400 * 1e9)
        self.assertEqual(figures.Progress([]).rate(None), 0.0)


class AwayTest(unittest.TestCase):
    def test_from_the_last_gap_of_a_burst_to_the_next(self):
        starts = [0, 100, 1000, 1100]
        latencies = [50, 60, 50, 70]
        self.assertEqual(figures.away_windows(starts, latencies, 5, 2, 2000, 0), [(165, 1000), (1175, 2000)])
        self.assertEqual(figures.away_windows(starts, latencies, 5, 2, 2000, 1000), [(1175, 2000)])


class WindowsTest(unittest.TestCase):
    def test_share_of_windows_at_or_under_the_limit(self):
        alone = [100] * 4
        together = [100, 110, 100, 130]  # windows of 2: 1.05, 1.05, 1.15
        self.assertEqual(figures.windows_within(together, alone, 2, 0.05), 2 / 3)
        self.assertEqual(figures.windows_within(together, alone, 2, 0.16), 1)
        self.assertEqual(figures.windows_within(together, alone, 5, 1), 0)


class NoiseTest(unittest.TestCase):
    def test_neighbours_decide(self):
        self.assertIsNone(figures.noise([100, 102, 104, 106], 1000))
        self.assertEqual(figures.noise([100, 110, 100, 110], 1000), "machine too noisy")
        self.assertIn("not measured", figures.noise([100, 100], 999))
        self.assertIn("not measured", figures.noise([100], 1000))


if __name__ == "__main__":
    unittest.main()
