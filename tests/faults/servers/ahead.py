"""A service whose machine's clock is wrong: ``python -m tests.faults.servers.ahead SECONDS SERVICE``."""

import sys
import time


def main() -> None:
    ahead, service = int(sys.argv[1]), sys.argv[2]
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + ahead
    time.time_ns = lambda: nanoseconds() + ahead * 1_000_000_000
    # Only now: what is imported keeps the clock it finds.
    from atelier_hosting.process import run_service

    run_service(service)


if __name__ == "__main__":
    main()
