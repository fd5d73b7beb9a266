#!/usr/bin/env bash
# Unpacks Debian packages below build/ instead of installing them: installed,
# some would start a service on the user's machine.
#
#   unpack.sh NAME PACKAGE...     into build/NAME/root, unless they are there
set -eu
cd "$(dirname "$0")/.."

name=$1
home=build/$1
shift
stamp="$home/unpacked: $*"
mkdir -p build
exec 9>"$home.lock" # two may want it at once
flock 9
[ ! -e "$stamp" ] || exit 0

rm -rf "$home"
mkdir -p "$home/deb"

fetch() {
  (cd "$home/deb" && apt-get download "$@") >"$home/log" 2>&1
}

refresh() { # the lists of a new machine are empty
  if [ "$(id -u)" -eq 0 ]; then
    apt-get update >>"$home/log" 2>&1
  else
    sudo -n apt-get update >>"$home/log" 2>&1
  fi
}

if ! command -v apt-get >/dev/null 2>&1; then
  echo "$name is unpacked from Debian packages, and apt-get is not here." >&2
  exit 1
fi
if ! fetch "$@" && ! { refresh && fetch "$@"; }; then
  cat "$home/log" >&2
  echo "Could not download $name; as root, run:" >&2
  echo "  apt-get update" >&2
  exit 1
fi
for package in "$home"/deb/*.deb; do
  dpkg -x "$package" "$home/root"
done
rm -rf "$home/deb" "$home/log"
touch "$stamp"
