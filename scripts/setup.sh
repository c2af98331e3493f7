#!/usr/bin/env bash
# Make this folder ready to run: `scripts/setup.sh run` for the demo, `test` for the tests.
#
# Rule 1: a second call with nothing to do is instant; what decides is a hash, not a date.
# Rule 2: root installs what is missing from the system's packages; without root nothing is
#         installed, and what is missing is named with the command that brings it.
# Rule 3: the network is used for packages only; every Python package is checked by its hash.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-run}
python=${PYTHON:-python3}
# A login shell without /sbin would not see mkfs and sshd, and would install them for nothing.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 2; }
has() { command -v "$1" >/dev/null 2>&1; }

# command:package, what each purpose cannot do without
tools_run=(restic:restic mkfs.ext4:e2fsprogs losetup:mount mount:mount unshare:util-linux)
tools_test=(
  sshd:openssh-server ssh-keygen:openssh-client strace:strace mkfs.xfs:xfsprogs
  mkfs.btrfs:btrfs-progs fusermount3:fuse3 ip:iproute2 nft:nftables nsenter:util-linux
)

missing_packages() {
  local pair tools=("${tools_run[@]}")
  [ "$purpose" = test ] && tools+=("${tools_test[@]}")
  for pair in "${tools[@]}"; do
    has "${pair%%:*}" || printf '%s\n' "${pair##*:}"
  done
  has "$python" || printf 'python3\n'
  # Debian splits ensurepip off: the module venv is there and still cannot make an environment.
  [ -x .venv/bin/python ] || "$python" -c 'import venv, ensurepip' 2>/dev/null ||
    printf 'python3-venv\n'
}

install_packages() {
  local guard=/usr/sbin/policy-rc.d had_sshd=no guarded=no
  has sshd && had_sshd=yes
  # The SSH server is for tests on loopback: it must not start listening because we installed it.
  if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$guard" && chmod 755 "$guard" && guarded=yes
  fi
  local rc=0
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -qq update && apt-get -qq install -y --no-install-recommends "$@" >/dev/null; } || rc=$?
  [ "$guarded" = no ] || rm -f "$guard"
  if [ "$had_sshd" = no ] && has sshd && has systemctl; then
    systemctl --quiet disable ssh.service ssh.socket 2>/dev/null || true
  fi
  [ "$rc" = 0 ] || die "the system's packages could not be installed: $*"
}

prepare_system() {
  local packages
  packages=$(missing_packages | sort -u | tr '\n' ' ')
  [ -n "$packages" ] || return 0
  if [ "$(id -u)" = 0 ] && has apt-get; then
    say "installing from the system's packages: $packages"
    # shellcheck disable=SC2086  # a list of package names, one word each
    install_packages $packages
  else
    say "missing, and only root can install it: apt-get install $packages"
    case " $packages" in
      *" restic "* | *" python3 "* | *" python3-venv "*)
        die "nothing runs without restic and a Python that makes virtual environments" ;;
    esac
    say "going on without: what needs them will say so"
  fi
}

check_python() {
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "Python 3.11 or newer is needed, and $python is $("$python" -V 2>&1); set PYTHON=/path/to/python3.11"
}

prepare_venv() {
  local key marker=.venv/.made-from
  # The folder is part of the key: a virtual environment does not survive being moved.
  key=$({ pwd; cat requirements.lock pyproject.toml; } | sha256sum | cut -d' ' -f1)
  if [ -x .venv/bin/coffre ] && [ "$(cat "$marker" 2>/dev/null)" = "$key" ]; then
    return 0
  fi
  say "making .venv from requirements.lock"
  [ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1 ||
    "$python" -m venv --clear .venv
  local pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input -q)
  "${pip[@]}" install --require-hashes -r requirements.lock
  # The build backend is in the lock, so this step asks no network and builds nothing unpinned.
  "${pip[@]}" install --no-deps --no-build-isolation --editable .
  printf '%s\n' "$key" >"$marker"
}

case "$purpose" in run | test) ;; *) die "usage: scripts/setup.sh run|test" ;; esac
prepare_system
[ -x .venv/bin/python ] || check_python
prepare_venv
