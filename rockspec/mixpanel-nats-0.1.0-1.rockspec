rockspec_format = "3.0"
package = "mixpanel-nats"
version = "0.1.0-1"
source = {
  -- The checkout that this file lies in, at the release's tag.
  url = "git+file://.",
  tag = "v0.1.0",
}
description = {
  summary = "NATS JetStream for mixpanel: a transport of clients, and what forwards from there",
  detailed = [[
    mixpanel_nats.so, with which a client of the module mixpanel hands its batches
    to NATS JetStream, and mixpanel.nats, with which `mixpanel forward` delivers
    them from there to Mixpanel.
  ]],
  license = "MIT",
  labels = { "analytics", "mixpanel", "nats" },
}
supported_platforms = { "linux" }
dependencies = {
  "lua >= 5.1, < 5.5",
  "mixpanel",
}
external_dependencies = {
  NATS = { library = "nats" },
}
build = {
  type = "make",
  build_target = "rock-nats",
  install_target = "rock-nats-install",
  build_variables = {
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    NATS_INCDIR = "$(NATS_INCDIR)",
    NATS_LIBDIR = "$(NATS_LIBDIR)",
  },
  install_variables = {
    LIBDIR = "$(LIBDIR)",
  },
}
