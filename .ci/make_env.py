"""Make one virtual environment from a pinned requirement file, once, whoever asks first.

Standard library only: this is the first thing that runs on a fresh machine. The environment lies in
`.venvs/<name>`; a stamp with the hash of the requirement file says that it is complete, so an interrupted
installation is started again and a changed requirement file makes a new environment. Processes that ask at the
same time wait for the one that builds.

Exit codes: 0 the environment is ready, 1 it could not be made, 3 no suitable interpreter on this machine.
"""

import argparse
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "shared_data"))

from shared_data.files import locks  # noqa: E402 - of this checkout, and of the standard library alone

MODERN = [(3, 11), (3, 12), (3, 13), (3, 10)]  # in order of preference


def version_of(python):
    """(major, minor) of an interpreter, or None where it does not run."""
    try:
        text = subprocess.check_output(
            [python, "-c", "import sys; print('%d %d' % sys.version_info[:2])"], stderr=subprocess.DEVNULL
        )
        major, minor = text.decode().split()
        return int(major), int(minor)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


def candidates(version):
    """Paths under which an interpreter of this version is usually found."""
    name = "python%d.%d" % version
    yield shutil.which(name)
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    for path in sorted(glob.glob(os.path.join(pyenv, "versions", "%d.%d.*" % version, "bin", "python"))):
        yield path
    yield os.path.join("/usr/local/bin", name)


def find_python(wanted):
    """An interpreter for 'modern' (3.10 to 3.13) or an exact 'X.Y'; None where there is none."""
    if wanted == "modern":
        current = shutil.which(os.environ.get("PYTHON", "python3"))
        if current and version_of(current) in MODERN:
            return current
        versions = MODERN
    else:
        versions = [tuple(int(part) for part in wanted.split("."))]
    for version in versions:
        for path in candidates(version):
            if path and version_of(path) == version:
                return path
    return None


def stamp_of(requirements, python, sources):
    """What the finished environment must have been made from."""
    with open(requirements, "rb") as file:
        content = file.read()
    parts = [content, repr(version_of(python)).encode(), "\n".join(sources).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def install(folder, python, requirements, sources):
    """Create the environment, install the pinned packages, and put our source folders on its path."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.check_call([python, "-m", "venv", folder])
    inner = os.path.join(folder, "bin", "python")
    pip = [inner, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    if version_of(python) < (3, 9):
        subprocess.check_call(pip + ["--upgrade", "pip==21.3.1"])
    # byte code is made when a module is imported: to compile all of TensorFlow takes longer than to install it
    subprocess.check_call(pip + ["--no-compile", "--requirement", requirements])
    where = subprocess.check_output([inner, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"])
    with open(os.path.join(where.decode().strip(), "monorepo.pth"), "w") as file:
        file.write("\n".join(sources) + "\n")


def is_ready(folder, stamp):
    """Whether the environment is complete and made from what the stamp says."""
    try:
        with open(os.path.join(folder, ".ready")) as file:
            return file.read() == stamp
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="environment name, for example ssdgl-modern")
    parser.add_argument("requirements", help="pinned requirement file")
    parser.add_argument("--python", default="modern", help="'modern' (3.10 to 3.13) or an exact version such as 3.8")
    parser.add_argument("--sources", nargs="*", default=[], help="folders of this repository to put on the path")
    arguments = parser.parse_args()

    python = find_python(arguments.python)
    if python is None:
        wanted = "3.10 to 3.13" if arguments.python == "modern" else arguments.python
        print("%s: no Python %s on this machine; install one (for example with pyenv)." % (arguments.name, wanted))
        return 3
    folder = os.path.join(ROOT, ".venvs", arguments.name)
    requirements = os.path.join(ROOT, arguments.requirements)
    if not os.path.isfile(requirements):
        print("%s: there is no such environment (no %s); make help lists the papers." % (arguments.name, requirements))
        return 1
    sources = [os.path.join(ROOT, source) for source in arguments.sources]
    stamp = stamp_of(requirements, python, sources)
    if is_ready(folder, stamp):  # without a lock, for a repository that is read-only by now
        return 0
    try:
        return make(arguments.name, folder, python, requirements, sources, stamp)
    except OSError as error:
        print("%s: %s cannot be written: %s." % (arguments.name, error.filename or folder, error.strerror or error))
        return 1


def make(name, folder, python, requirements, sources, stamp):
    """Wait for whoever is building the environment, and build it where nobody has; the exit code."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(folder + ".lock", "w") as lock:
        locks.lock(lock)
        if is_ready(folder, stamp):
            return 0
        packages = len(re.findall(r"^[A-Za-z]", open(requirements).read(), re.M))
        print("%s: installing %d pinned packages (Python %d.%d), once ..." % ((name, packages) + version_of(python)))
        sys.stdout.flush()
        try:
            install(folder, python, requirements, sources)
        except subprocess.CalledProcessError as error:
            print(
                "%s: the environment could not be made: '%s' ended with code %d. Mend what it says above and run "
                "the same command again." % (name, " ".join(error.cmd[:6]), error.returncode)
            )
            return 1
        stamp_path = os.path.join(folder, ".ready")
        with open(stamp_path + ".new", "w") as file:
            file.write(stamp)
        os.rename(stamp_path + ".new", stamp_path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
