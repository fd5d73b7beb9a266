#!/usr/bin/env bash
# Unpacks nginx and its Lua module under build/nginx, for the sandbox alone.
#
# Installed as packages they would start a web server on the user's machine,
# and the Lua module would take LuaJIT away; unpacked they do neither.
set -eu
cd "$(dirname "$0")/.."

home=build/nginx
packages=(nginx libnginx-mod-http-lua libnginx-mod-http-ndk lua-resty-core
  lua-resty-lrucache libluajit2-5.1-2 libpcre2-8-0 libpcre3 lua-cjson)
stamp="$home/unpacked: ${packages[*]}"
[ ! -e "$stamp" ] || exit 0

rm -rf "$home"
mkdir -p "$home/deb"

fetch() {
  (cd "$home/deb" && apt-get download "${packages[@]}") >"$home/log" 2>&1
}

refresh() { # the lists of a new machine are empty
  if [ "$(id -u)" -eq 0 ]; then
    apt-get update >>"$home/log" 2>&1
  else
    sudo -n apt-get update >>"$home/log" 2>&1
  fi
}

if ! command -v apt-get >/dev/null 2>&1; then
  echo "The sandbox unpacks nginx from Debian packages, and apt-get is not here." >&2
  exit 1
fi
if ! fetch && ! { refresh && fetch; }; then
  cat "$home/log" >&2
  echo "Could not download nginx for the sandbox; as root, run:" >&2
  echo "  apt-get update" >&2
  exit 1
fi
for package in "$home"/deb/*.deb; do
  dpkg -x "$package" "$home/root"
done
rm -rf "$home/deb" "$home/log"
touch "$stamp"
