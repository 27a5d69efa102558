"""`scripts/setup` on machines of every kind: a Python that only pretends stands in for the real ones."""

import os
import re
import shutil
import signal
import subprocess
import time
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[1]
FILES = ("scripts", "requirements.txt", "requirements-dev.txt", "constraints.txt")
TOOLS = "awk cat cksum cp cut df dirname grep ln mkdir mv readlink rm sed sh sleep tail uname".split()

# Answers as Python of $VERSION would: runs small programs, makes a virtual environment of itself, and writes
# what pip was asked for into pip.log. $PIP is run in place of an installation.
PRETENDER = """#!/bin/sh
VERSION=${VERSION:-3.12}
case "$1 $2" in
"-c "*ensurepip*) [ -z "$NO_VENV" ] ;;
"-c "*) echo "$VERSION" ;;
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip") [ "$3" = --version ] || { echo "$@" >>pip.log; eval "$PIP"; } ;;
*) exit 9 ;;
esac
"""


class Machine:
    """A bare machine with a copy of the project in a folder whose name has a space."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "my studio"
        self.path = folder / "bin"
        self.environment = {"PATH": str(self.path), "HOME": str(folder)}
        self.path.mkdir(parents=True)
        self.project.mkdir()
        for name in FILES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.project / name)
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, f"{tool} is not here"
            (self.path / tool).symlink_to(found)

    def command(self, name: str, program: str = PRETENDER) -> None:
        """Put a program of that name into the path."""
        (self.path / name).unlink(missing_ok=True)
        (self.path / name).write_text(program)
        (self.path / name).chmod(0o755)

    def start(self, script: str, *words: str, **environment: str) -> subprocess.Popen[str]:
        """Start one of the scripts from somewhere else."""
        return subprocess.Popen(
            [str(self.path / "sh"), str(self.project / "scripts" / script), *words],
            cwd=self.path,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, script: str, *words: str, **environment: str) -> tuple[int, str]:
        """The exit code of a script and all that it said."""
        with self.start(script, *words, **environment) as process:
            said, _ = process.communicate(timeout=30)
        return process.returncode, said

    @property
    def installations(self) -> list[str]:
        """What pip was asked for, a line for each time."""
        log = self.project / "pip.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which everything is as it should be."""
    machine = Machine(tmp_path)
    machine.command("python3.12")
    return machine


def one_sentence(said: str) -> bool:
    """Whether it is one line that ends as a sentence does."""
    return said.endswith(".\n") and len(said.splitlines()) == 1


def test_the_first_run_installs_the_pins_and_the_second_nothing(machine: Machine) -> None:
    code, said = machine.run("setup")
    assert (code, len(machine.installations)) == (0, 1), said
    assert "-r requirements.txt -c constraints.txt" in machine.installations[0]
    assert said.startswith("Setting up Armature") or "MB are free" in said
    assert machine.run("setup") == (0, "")
    assert len(machine.installations) == 1


def test_the_second_run_takes_no_time(machine: Machine) -> None:
    machine.run("setup")
    begun = time.perf_counter()
    machine.run("setup")
    assert time.perf_counter() - begun < 3  # ten times the bound: 0.03 s was measured


def test_the_tools_of_developers_are_installed_only_for_developers(machine: Machine) -> None:
    machine.run("setup")
    assert "requirements-dev.txt" not in machine.installations[0]
    machine.run("setup", "dev")
    assert "-r requirements.txt -r requirements-dev.txt" in machine.installations[1]
    assert machine.run("setup", "dev") == (0, "")
    assert machine.run("setup") == (0, "")


def test_a_developer_needs_one_installation_for_both(machine: Machine) -> None:
    machine.run("setup", "dev")
    assert machine.run("setup") == (0, "")
    assert len(machine.installations) == 1


@pytest.mark.parametrize("name", ["requirements.txt", "constraints.txt"])
def test_changed_requirements_are_installed(machine: Machine, name: str) -> None:
    machine.run("setup")
    with (machine.project / name).open("a") as file:
        file.write("another==1.0\n")
    assert machine.run("setup")[0] == 0
    assert len(machine.installations) == 2
    assert machine.run("setup") == (0, "")


def test_another_python_is_noticed(machine: Machine) -> None:
    machine.run("setup")
    assert machine.run("setup", VERSION="3.13")[0] == 0
    assert len(machine.installations) == 2


def test_the_newest_python_that_fits_is_taken(machine: Machine) -> None:
    machine.command("python3.11")
    machine.command("python3.13", "#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    assert machine.run("find-python") == (0, "python3.12\n")


def test_a_named_python_goes_first(machine: Machine) -> None:
    machine.command("my-python")
    assert machine.run("find-python", PYTHON="my-python") == (0, "my-python\n")


def test_no_python_is_said_in_a_sentence(machine: Machine) -> None:
    (machine.path / "python3.12").unlink()
    code, said = machine.run("setup")
    assert code == 1
    assert one_sentence(said)
    assert "3.11, 3.12 or 3.13" in said
    assert "none" in said


@pytest.mark.parametrize("version", ["2.7", "3.10", "3.14"])
def test_a_python_that_does_not_fit_is_said_in_a_sentence(machine: Machine, version: str) -> None:
    (machine.path / "python3.12").rename(machine.path / "python3")
    code, said = machine.run("setup", VERSION=version)
    assert code == 1
    assert one_sentence(said)
    assert f"python3 is Python {version}" in said


def test_a_named_python_that_does_not_run_is_said_in_a_sentence(machine: Machine) -> None:
    code, said = machine.run("setup", PYTHON="/nowhere/python")
    assert code == 1
    assert one_sentence(said)
    assert "/nowhere/python, which does not run" in said


def test_a_python_without_venv_is_said_in_a_sentence(machine: Machine) -> None:
    code, said = machine.run("setup", NO_VENV="yes")
    assert code == 1
    assert one_sentence(said)
    assert "apt install python3.12-venv" in said


def test_a_full_disk_is_said_before_anything_is_fetched(machine: Machine) -> None:
    machine.command("df", "#!/bin/sh\necho Filesystem\necho /dev/sda 9999999 9 2000000 99% /\n")
    code, said = machine.run("setup")
    assert code == 1
    assert one_sentence(said)
    assert "1953 MB" in said
    assert not machine.installations
    assert not (machine.project / ".venv").exists()


def test_a_disk_that_fills_up_on_the_way_is_said_in_a_sentence(machine: Machine) -> None:
    code, said = machine.run("setup", PIP="echo 'OSError: [Errno 28] No space left on device'; false")
    assert code == 1
    assert said.splitlines()[-1].startswith("There is no space left on the disk")


def test_no_network_is_said_in_a_sentence(machine: Machine) -> None:
    code, said = machine.run("setup", PIP="echo 'Failed to establish a new connection'; false")
    assert code == 1
    assert said.splitlines()[-1].startswith("The package index can't be reached")


def test_a_failed_set_up_is_begun_again(machine: Machine) -> None:
    assert machine.run("setup", PIP="false")[0] == 1
    (machine.project / ".venv" / "half-installed").touch()
    code, said = machine.run("setup")
    assert (code, "interrupted" in said) == (0, True), said
    assert not (machine.project / ".venv" / "half-installed").exists()
    assert machine.run("setup") == (0, "")


def test_a_set_up_that_was_killed_is_begun_again(machine: Machine) -> None:
    with machine.start("setup", PIP=": >installing; sleep 20") as process:
        wait_for(machine.project / "installing")
        os.killpg(process.pid, signal.SIGKILL)
    code, said = machine.run("setup")
    assert (code, "interrupted" in said) == (0, True), said
    assert machine.run("setup") == (0, "")


def test_two_at_once_install_once(machine: Machine) -> None:
    with machine.start("setup", PIP=": >installing; sleep 2") as first:
        wait_for(machine.project / "installing")
        code, said = machine.run("setup")
        assert first.wait(30) == 0
    assert (code, "waiting for it" in said) == (0, True), said
    assert len(machine.installations) == 1


def test_a_venv_made_by_hand_is_kept(machine: Machine) -> None:
    own = machine.project / ".venv"
    (own / "bin").mkdir(parents=True)
    shutil.copy(machine.path / "python3.12", own / "bin" / "python")
    (own / "mine").touch()
    assert machine.run("setup")[0] == 0
    assert (own / "mine").exists()


def test_a_venv_whose_python_is_gone_is_made_anew(machine: Machine) -> None:
    machine.run("setup")
    (machine.project / ".venv" / "bin" / "python").unlink()
    code, said = machine.run("setup")
    assert (code, "anew" in said) == (0, True), said
    assert machine.run("setup") == (0, "")


@pytest.mark.parametrize("home", ["", "/dev/null", "/proc"])
def test_without_a_home_to_write_to_caches_stay_in_the_project(machine: Machine, home: str) -> None:
    code, said = machine.run("setup", HOME=home, PIP='echo "$PIP_CACHE_DIR|$XDG_CACHE_HOME" >caches')
    assert code == 0, said
    cache = machine.project / ".cache"
    assert (machine.project / "caches").read_text() == f"{cache / 'pip'}|{cache}\n"


def test_a_home_that_can_be_written_is_used(machine: Machine) -> None:
    machine.run("setup", PIP='echo "$PIP_CACHE_DIR|$XDG_CACHE_HOME" >caches')
    assert (machine.project / "caches").read_text() == "|\n"


def test_an_unknown_word_is_bad_usage(machine: Machine) -> None:
    code, said = machine.run("setup", "everything")
    assert (code, said) == (2, "usage: scripts/setup [run|dev]\n")


def test_everything_that_is_needed_is_pinned_and_installed_as_pinned() -> None:
    wanted = [Requirement(line) for line in lines_of("requirements.txt") + lines_of("requirements-dev.txt")]
    seen: dict[NormalizedName, str] = {}
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        if name not in seen and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            installed = distribution(name)
            seen[name] = installed.version.partition("+")[0]
            wanted += [Requirement(line) for line in installed.requires or ()]
    assert len(seen) > 50
    assert {name: number for name, number in seen.items() if PINS.get(name) != number} == {}


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_required_package_has_a_pin(file: str) -> None:
    names = {canonicalize_name(Requirement(line).name) for line in lines_of(file)}
    assert names
    assert names <= set(PINS), f"without a pin: {names - set(PINS)}"


def test_every_pin_is_exact_and_of_no_particular_build() -> None:
    for line in lines_of("constraints.txt"):
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.]*", line), line


def lines_of(file: str) -> list[str]:
    """The lines of a requirements file that name a package."""
    lines = (ROOT / file).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


PINS = {
    canonicalize_name(name): number
    for name, _, number in (line.partition("==") for line in lines_of("constraints.txt"))
}


def wait_for(path: Path) -> None:
    """Return as soon as the file is there."""
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} never came"
        time.sleep(0.02)
