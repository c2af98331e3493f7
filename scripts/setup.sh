#!/usr/bin/env bash
# Make this folder ready to run: `scripts/setup.sh run` for the demo, `test` for the tests, `long`
# for those of `make test-long` too, which look at pages in a real browser.
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
  mkfs.btrfs:btrfs-progs fusermount3:fuse3 ip:iproute2 nft:nftables nsenter:util-linux groff:groff-base
  systemd-analyze:systemd
)

tools_long=(chromium:chromium pg_dump:postgresql zsh:zsh fish:fish shellcheck:shellcheck mandoc:mandoc)

missing_packages() {
  local pair tools=("${tools_run[@]}")
  [ "$purpose" = run ] || tools+=("${tools_test[@]}")
  [ "$purpose" != long ] || tools+=("${tools_long[@]}")
  for pair in "${tools[@]}"; do
    has "${pair%%:*}" || printf '%s\n' "${pair##*:}"
  done
  # What draws a PDF is a library, which has no command to ask for.
  [ "$purpose" = run ] || ldconfig -p | grep libpangoft2-1.0 >/dev/null || printf 'libpangoft2-1.0-0\n'
  has "$python" || printf 'python3\n'
  # Debian splits ensurepip off: the module venv is there and still cannot make an environment.
  [ -x .venv/bin/python ] || "$python" -c 'import venv, ensurepip' 2>/dev/null ||
    printf 'python3-venv\n'
}

install_packages() {
  local guard=/usr/sbin/policy-rc.d had_sshd=no had_postgres=no guarded=no
  has sshd && had_sshd=yes
  has pg_dump && had_postgres=yes
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
  # Restore tests start a server of their own; the one that Debian makes is nobody's.
  if [ "$had_postgres" = no ] && has pg_dump && has systemctl; then
    systemctl --quiet disable postgresql.service 2>/dev/null || true
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
  local marker=.venv/.made-from locks=(requirements.lock) kind=run
  # The tests build a wheel, without a network: for them the backend stays.
  [ "$purpose" = run ] || { locks+=(requirements-dev.lock requirements-build.lock); kind=test; }
  # The folder is part of the key: a virtual environment does not survive being moved.
  local key
  key=$({ pwd; cat requirements*.lock pyproject.toml; } | sha256sum | cut -d' ' -f1)
  # What was made for the tests serves the demo too.
  if [ -x .venv/bin/coffre ] && grep -qsxE "($kind|test) $key" "$marker"; then
    return 0
  fi
  say "making .venv from ${locks[*]}"
  [ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1 ||
    "$python" -m venv --clear .venv
  local pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input -q) lock
  for lock in "${locks[@]}"; do
    "${pip[@]}" install --require-hashes -r "$lock"
  done
  install_ourselves
  printf '%s %s\n' "$kind" "$key" >"$marker"
}

# The build backend is pinned like the rest, and does not stay: a vault host keeps what it runs.
install_ourselves() {
  local backend rc=0
  backend=$(mktemp -d)
  { "${pip[@]}" install --require-hashes --target "$backend" -r requirements-build.lock &&
    PYTHONPATH=$backend "${pip[@]}" install --no-deps --no-build-isolation --editable .; } || rc=$?
  rm -rf "$backend"
  [ "$rc" = 0 ] || die "coffre itself could not be installed"
}

case "$purpose" in run | test | long) ;; *) die "usage: scripts/setup.sh run|test|long" ;; esac
prepare_system
[ -x .venv/bin/python ] || check_python
prepare_venv
