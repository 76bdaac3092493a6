#!/bin/sh
# In the builder stage: /opt/venv from a paper's lock and requirement file, with the folders of /opt/hsi on its path.
# usage: make_environment.sh <interpreter version> <paper's folder> <stack: modern or era> [further requirement file]
set -eu
version=$1
folder=$2
stack=$3
further=${4:-}

# Debian and Ubuntu keep what `venv` needs in a package of its own
if ! "python$version" -c 'import ensurepip' 2>/dev/null; then
    apt-get update
    apt-get install --yes --no-install-recommends "python$version-venv"
fi

"python$version" -m venv /opt/venv
pip() { /opt/venv/bin/python -m pip --disable-pip-version-check "$@"; }
case $version in
    3.6 | 3.7 | 3.8) pip install --quiet --upgrade 'pip==21.3.1' ;;  # the bundled one does not know today's wheel tags
esac

cd /opt/build
pip install --no-deps --require-hashes --requirement "docker/locks/$folder-$stack.txt"
# what the lock leaves out: PyTorch, whose builds for one version differ by index
pip install --requirement "$folder/requirements/$stack.txt"
if [ -n "$further" ]; then
    # TensorFlow 1 with CUDA is a package of another name with the same files
    if grep -q '^tensorflow-gpu==' "$further"; then pip uninstall --yes tensorflow; fi
    pip install --no-deps --require-hashes --requirement "$further"
fi
pip check
pip uninstall --quiet --yes pip

site=$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
find /opt/hsi -mindepth 1 -maxdepth 1 >"$site/monorepo.pth"
# the image runs with a read-only root file system and any user id
/opt/venv/bin/python -m compileall -q /opt/hsi
chmod -R a+rX /opt/hsi /opt/venv
