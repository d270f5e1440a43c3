"""The arithmetic of emulated.py: quantiles, windows, noise. Pure; tested by tests/opencl/figures_test.py."""

import bisect


def quantile(values, q):
    """The smallest value that at least a share q of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-q * len(ordered) // 1) - 1)]


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


class Progress:
    """A filler's kernels over time, from samples (instant in ns, kernels completed until then)."""

    def __init__(self, samples):
        self.instants = [instant for instant, _ in samples]
        self.counts = [count for _, count in samples]

    def at(self, instant):
        """Kernels completed until `instant`, between samples in proportion."""
        if not self.instants or instant <= self.instants[0]:
            return self.counts[0] if self.counts else 0
        if instant >= self.instants[-1]:
            return self.counts[-1]
        after = bisect.bisect_right(self.instants, instant)
        start, end = self.instants[after - 1], self.instants[after]
        part = (instant - start) / (end - start)
        return self.counts[after - 1] + part * (self.counts[after] - self.counts[after - 1])

    def kernels(self, windows):
        """Kernels completed within the windows [(start, end)]."""
        return sum(self.at(end) - self.at(start) for start, end in windows)

    def rate(self, windows):
        """Kernels a second within the windows; without windows, from the first sample to the last."""
        if windows is None:
            windows = [(self.instants[0], self.instants[-1])] if len(self.instants) > 1 else []
        total = sum(end - start for start, end in windows)
        return self.kernels(windows) / total * 1e9 if total > 0 else 0.0


def away_windows(starts, latencies, last_gap_ns, burst, end, first):
    """From the end of each burst of requests (its last gap included) to the start of the next, from `first` on."""
    windows = []
    for index in range(burst - 1, len(starts), burst):
        left = starts[index] + latencies[index] + last_gap_ns
        back = starts[index + 1] if index + 1 < len(starts) else end
        if left >= first and back > left:
            windows.append((left, back))
    return windows


def windows_within(together, alone, size, limit):
    """Share of all runs of `size` consecutive requests whose total time is at most (1 + limit) of that alone."""
    count = min(len(together), len(alone))
    if count < size:
        return 0.0
    with_sum, alone_sum = sum(together[:size]), sum(alone[:size])
    within = 0
    for start in range(count - size + 1):
        if start > 0:
            with_sum += together[start + size - 1] - together[start - 1]
            alone_sum += alone[start + size - 1] - alone[start - 1]
        within += with_sum <= alone_sum * (1 + limit)
    return within / (count - size + 1)


def noise(alone_p99, requests):
    """None where the machine is quiet enough, else what to say."""
    if requests < 1000 or len(alone_p99) < 2:
        return "not measured: needs 2 repetitions of 1,000 requests"
    ratios = [max(a, b) / min(a, b) for a, b in zip(alone_p99, alone_p99[1:])]
    return None if median(ratios) <= 1.03 else "machine too noisy"
