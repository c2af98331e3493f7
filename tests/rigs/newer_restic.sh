#!/bin/sh
# Fetch a newer restic than the system's, for the tests that run on two versions.
#
# The package is downloaded, checked against the archive's signature and unpacked into
# .tools/restic-newer; nothing is installed and the system's own package lists are not touched.
# The archive is the one this system already uses. Where that cannot be done, say why and
# succeed: the tests then run on the installed restic alone and say so.
#
# usage: newer_restic.sh [RELEASE]
set -eu

release=${1:-trixie}
root=$(cd "$(dirname "$0")/../.." && pwd)
wanted=$root/.tools/restic-newer

give_up() {
    echo "newer_restic: $1; tests run on the installed restic only"
    exit 0
}

[ -x "$wanted" ] && { echo "newer_restic: $("$wanted" version)"; exit 0; }
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || give_up "no apt here"

archive=$(apt-get indextargets --format '$(LABEL)|$(COMPONENT)|$(REPO_URI)' \
    'Created-By: Packages' 2>/dev/null | sed -n 's/^Debian|main|//p' | head -n 1)
[ -n "$archive" ] || give_up "no Debian archive is configured"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/out"
echo "deb $archive $release main" >"$work/sources.list"
chmod -R a+rX "$work"

private_apt() {
    command=$1
    shift
    "$command" -qq \
        -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" \
        -o APT::Sandbox::User=root "$@"
}

private_apt apt-get update >"$work/log" 2>&1 || give_up "the lists of $release cannot be read"
(cd "$work/out" && private_apt apt-get download "restic/$release") >"$work/log" 2>&1 ||
    give_up "$release has no restic for us"
dpkg-deb -x "$work"/out/restic_*.deb "$work/out"
"$work/out/usr/bin/restic" version >"$work/version" 2>&1 ||
    give_up "the restic of $release does not run here"
mkdir -p "$root/.tools"
mv "$work/out/usr/bin/restic" "$wanted.new"
mv "$wanted.new" "$wanted"
echo "newer_restic: $(cat "$work/version")"
