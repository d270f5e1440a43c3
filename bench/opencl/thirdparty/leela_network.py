"""Writes a network of random weights in leela-zero's text format, version 1: it plays badly, and always the same."""

import random
import sys

CHANNELS, BLOCKS, PLANES, POINTS, MOVES = 8, 1, 18, 361, 362
chance = random.Random(1)


def numbers(count, spread):
    return " ".join(f"{chance.gauss(0, spread):.4f}" for _ in range(count))


def same(count, value):
    return " ".join([str(value)] * count)


def convolution(inputs, outputs, size):
    """Weights, biases, and means and variances of the batch normalisation."""
    fan = inputs * size * size
    return [numbers(outputs * fan, (2 / fan) ** 0.5), same(outputs, 0), same(outputs, 0), same(outputs, 1)]


def main():
    lines = ["1"] + convolution(PLANES, CHANNELS, 3)
    for _ in range(BLOCKS):
        lines += convolution(CHANNELS, CHANNELS, 3) + convolution(CHANNELS, CHANNELS, 3)
    lines += convolution(CHANNELS, 2, 1) + [numbers(2 * POINTS * MOVES, 0.05), same(MOVES, 0)]
    lines += convolution(CHANNELS, 1, 1) + [numbers(POINTS * 256, 0.05), same(256, 0), numbers(256, 0.05), same(1, 0)]
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
