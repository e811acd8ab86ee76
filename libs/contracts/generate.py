"""Generate the Python code of every contract from ``proto/``, or check that the committed code is what it would be.

    python libs/contracts/generate.py            write libs/contracts/src/atelier anew
    python libs/contracts/generate.py --check    write into a temporary folder and compare; exit 1 on any difference

The import path of a generated module is its proto path, so nothing is rewritten afterwards.
"""

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
TARGET = ROOT / "libs/contracts/src"


def generate(target: Path) -> None:
    """Write modules, type stubs and packages for every ``.proto`` under ``target``."""
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    # The stub generators are installed beside the interpreter that runs this.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    outputs = [f"--{kind}_out={target}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO}", *outputs, *sources]
    finished = subprocess.run(command, env=environment, cwd=PROTO, capture_output=True, text=True)
    if finished.returncode:
        raise SystemExit(f"protoc failed:\n{finished.stdout}{finished.stderr}")
    package = target / "atelier"
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__init__.py").touch()
    (package / "py.typed").touch()
    # A proto without a service leaves gRPC modules that hold nothing.
    for module in package.rglob("*_pb2_grpc.py"):
        if "class " not in module.read_text():
            module.unlink()
            module.with_suffix(".pyi").unlink(missing_ok=True)


def files(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def differences(fresh: Path, committed: Path) -> list[str]:
    """Paths that are only on one side or whose bytes differ."""
    here, there = files(fresh), files(committed)
    _, different, unreadable = filecmp.cmpfiles(fresh, committed, sorted(here & there), shallow=False)
    return sorted({*(here ^ there), *different, *unreadable})


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        fresh = Path(temporary)
        generate(fresh)
        if "--check" in sys.argv[1:]:
            changed = differences(fresh / "atelier", TARGET / "atelier")
            if changed:
                print("Generated contract code is not current; run `make proto`:", *changed, sep="\n  ")
                return 1
            print(f"Generated contract code is current ({len(files(fresh))} files).")
            return 0
        shutil.rmtree(TARGET / "atelier", ignore_errors=True)
        shutil.copytree(fresh / "atelier", TARGET / "atelier")
        print(f"Wrote {len(files(fresh))} files to {TARGET.relative_to(ROOT)}.")
        return 0


if __name__ == "__main__":
    sys.exit(main())
