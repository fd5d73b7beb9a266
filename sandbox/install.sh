#!/usr/bin/env bash
# Unpacks nginx and its Lua module under build/nginx, for the sandbox alone.
#
# Installed as packages they would start a web server on the user's machine,
# and the Lua module would take LuaJIT away; unpacked they do neither.
exec "$(dirname "$0")/unpack.sh" nginx \
  nginx libnginx-mod-http-lua libnginx-mod-http-ndk lua-resty-core \
  lua-resty-lrucache libluajit2-5.1-2 libpcre2-8-0 libpcre3 lua-cjson
