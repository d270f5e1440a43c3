"""The options that ./dev demo has on either device. Standard library alone."""

import argparse


def make_parser(prog, description, out, rate, policies):
    parser = argparse.ArgumentParser(prog=prog, description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="build folder with bin/ and lib/")
    parser.add_argument("--out", default=out, help="where results go (default: %(default)s)")
    parser.add_argument("--repetitions", type=int, default=3, help="of every policy, interleaved (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4.5, help="a run (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=rate, help="inference requests a second (default: %(default)s)")
    parser.add_argument("--max-slowdown", default="2%", help="what inference may lose (default: %(default)s)")
    parser.add_argument("--policies", default=",".join(policies), help="comma-separated (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a policy instead of the table")
    return parser


def parse(parser, policies):
    arguments = parser.parse_args()
    arguments.policies = [policy for policy in policies if policy in arguments.policies.split(",")]
    if not arguments.policies:
        parser.error(f"--policies: none of {', '.join(policies)}")
    if arguments.repetitions < 1 or arguments.seconds < 1 or arguments.rate <= 0:
        parser.error("needs at least one repetition of one second, and a rate above zero")
    return arguments
