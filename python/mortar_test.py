"""Tests of the package, without a device: python3 mortar_test.py PATH/libmortar-opencl.so"""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import mortar  # noqa: E402

LIBRARY = None


def run_child(code, **environment):
    path = os.path.dirname(os.path.abspath(__file__))
    return subprocess.run([sys.executable, "-c", code, LIBRARY], env={**os.environ, "PYTHONPATH": path, **environment},
                          capture_output=True, text=True, check=False, timeout=60)


class MarksTest(unittest.TestCase):

    def test_without_mortar_everything_does_nothing(self):
        self.assertFalse(mortar.scheduled())
        with mortar.request(), mortar.minibatch():
            pass
        self.assertFalse(mortar.set_priority(3))

    def test_values_out_of_range_are_refused(self):
        for bad in (-1, 10, 2.5, True, "1"):
            with self.assertRaises(ValueError):
                mortar.set_priority(bad)
        for bad in (-0.1, 11, float("nan")):
            with self.assertRaises(ValueError):
                mortar.set_max_slowdown(bad)
        with self.assertRaises(ValueError):
            mortar.set_weight(0)

    def test_an_exception_inside_ends_the_request(self):
        told = []
        tell, mortar._tell = mortar._tell, lambda hint, value=0: told.append(hint) or 1
        try:
            with self.assertRaises(KeyError), mortar.request(), mortar.minibatch():
                raise KeyError
        finally:
            mortar._tell = tell
        self.assertEqual(told, [1, 3, 4, 2])

    def test_a_library_loaded_late_is_found_and_told_what_was_set(self):
        done = run_child("import ctypes, sys, mortar\n"
                         "before = mortar.set_priority(2), mortar.scheduled()\n"
                         "library = ctypes.CDLL(sys.argv[1])\n"
                         "after = mortar.scheduled(), mortar.set_max_slowdown(0.05), mortar._tell(99), mortar._tell(5, 10)\n"
                         "with mortar.request(): pass\n"
                         "print(before, after)\n", MORTAR_DIR="/dev/shm")
        self.assertEqual((done.stdout, done.stderr, done.returncode),
                         ("(False, False) (True, True, -1, -1)\n", "", 0))

    def test_closing_the_library_changes_nothing(self):
        done = run_child("import ctypes, sys, _ctypes, mortar\n"
                         "library = ctypes.CDLL(sys.argv[1])\n"
                         "mortar.scheduled()\n"
                         "_ctypes.dlclose(library._handle)\n"
                         "with mortar.minibatch(): print(mortar.scheduled())\n")
        self.assertEqual((done.stdout, done.returncode), ("True\n", 0))

    def test_disabled_says_so(self):
        done = run_child("import ctypes, sys, mortar\n"
                         "library = ctypes.CDLL(sys.argv[1])\n"
                         "print(mortar.scheduled(), mortar.set_priority(1))\n", MORTAR_DISABLE="1")
        self.assertEqual(done.stdout, "True False\n")

    def test_many_threads(self):
        done = run_child("import ctypes, sys, threading, mortar\n"
                         "library = ctypes.CDLL(sys.argv[1])\n"
                         "def work():\n"
                         "    for _ in range(1000):\n"
                         "        with mortar.request(): pass\n"
                         "threads = [threading.Thread(target=work) for _ in range(8)]\n"
                         "[t.start() for t in threads]; [t.join() for t in threads]\n"
                         "print('done')\n")
        self.assertEqual((done.stdout, done.stderr), ("done\n", ""))


if __name__ == "__main__":
    LIBRARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()
