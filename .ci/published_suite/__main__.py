"""Runs the tests of release 5.4.4, as published, with the PermutiveAPI that is installed for this Python.

Run it as ``python .ci/published_suite``. It downloads the release, and unpacks only its tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from xml.etree import ElementTree

RELEASE = "permutiveapi==5.4.4"
NUMBER_OF_TESTS = 87


def main() -> None:
    """Download, unpack and run, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unpack_tests(downloaded(folder), folder / "tests")
        shutil.copy(Path(__file__).with_name("conftest.py"), folder / "tests")
        (folder / "pytest.ini").write_text("[pytest]\n")  # So that pytest reads no other one.
        run_tests(folder)
        require_all_passed(folder / "results.xml")


def downloaded(folder: Path) -> Path:
    """Return the release's source distribution."""
    options = ["--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    done = subprocess.run([sys.executable, "-m", "pip", "download", *options, RELEASE])
    archives = list(folder.glob("*.tar.gz"))
    if done.returncode or len(archives) != 1:
        sys.exit(f"The source distribution of {RELEASE} could not be downloaded.")
    return archives[0]


def unpack_tests(archive: Path, folder: Path) -> None:
    """Unpack only the archive's tests."""
    folder.mkdir()
    with tarfile.open(archive) as members:
        for member in members:
            path = Path(member.name)
            content = members.extractfile(member)
            if path.parts[1:-1] == ("tests",) and path.suffix == ".py" and content:
                (folder / path.name).write_bytes(content.read())


def run_tests(folder: Path) -> None:
    """Run pytest so that only installed packages can be imported: ``-I``."""
    options = ["-p", "no:cacheprovider", "--junitxml=results.xml", "tests"]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PERMUTIVE_", "PYTEST_"))
    }
    command = [sys.executable, "-I", "-m", "pytest", *options]
    subprocess.run(command, cwd=folder, env=environment)


def require_all_passed(results: Path) -> None:
    """Exit with an error unless every test ran and passed."""
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    if results.exists():
        for suite in ElementTree.parse(results).iter("testsuite"):
            for count in counts:
                counts[count] += int(suite.get(count, 0))
    if list(counts.values()) != [NUMBER_OF_TESTS, 0, 0, 0]:
        sys.exit(f"{NUMBER_OF_TESTS} tests of {RELEASE} must pass, got {counts}.")


main()
