rockspec_format = "3.0"
package = "mixpanel"
version = "scm-1"
source = {
  -- The checkout that this file lies in.
  url = "git+file://.",
}
description = {
  summary = "Mixpanel SDK: events and profiles from Lua tables, delivered in the background",
  detailed = [[
    A C module that turns Lua tables into events and profile updates and
    delivers them in the background: batched, compressed, retried, accounted
    for. For scripts, OpenResty and games.
  ]],
  license = "MIT",
  labels = { "analytics", "mixpanel", "openresty", "love" },
}
supported_platforms = { "linux" }
dependencies = {
  "lua >= 5.1, < 5.5",
  "lua-cjson",
  -- Of the command line only.
  "argparse",
  "luv",
}
-- Libraries only: where Debian keeps headers the compiler knows, LuaRocks not.
external_dependencies = {
  CURL = { library = "curl" },
  DEFLATE = { library = "deflate" },
  JANSSON = { library = "jansson" },
}
build = {
  type = "make",
  build_target = "rock",
  install_target = "rock-install",
  build_variables = {
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LUA_INCDIR = "$(LUA_INCDIR)",
  },
  install_variables = {
    LIBDIR = "$(LIBDIR)",
    LUADIR = "$(LUADIR)",
    BINDIR = "$(BINDIR)",
  },
  copy_directories = { "docs", "examples", "library" },
}
