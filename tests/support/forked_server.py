"""Servers forked from a process that has everything imported: for each line on stdin, one that serves the data folder it names.

A restart then costs what opening the folder costs, and a test can afford many. Nothing runs in the parent but this loop.
"""

import os
import sys
from pathlib import Path

from atelier_common import process
from atelier_standalone.folder import DataFolder
from atelier_standalone.serving import serve


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.close(0)
            process.run(serve(DataFolder(Path(line.strip())), "127.0.0.1", 0, 0, lambda *_: None))
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        os.waitpid(child, 0)
        sys.stdout.write("ended\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
