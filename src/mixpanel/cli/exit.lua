-- What the exit statuses of all commands mean. docs/command-line.md and the
-- manual page have the same words.
local exit = {
  ok = 0,
  failed = 1,
  usage = 2,
  refused = 3,
  left = 4,
  input = 5,
  network = 6,
  unauthorized = 7,
  interrupted = 130,
  unread = 141, -- as the shell says of programs that SIGPIPE ended
}

exit.meanings = {
  { exit.ok, "all is well" },
  { exit.failed, "something else went wrong" },
  { exit.usage, "the command line is wrong, or what it says of project and credentials" },
  { exit.refused, "some records were refused, here or by Mixpanel; all others arrived" },
  { exit.left, "some records have no outcome yet" },
  { exit.input, "a file cannot be read or written, or is not what it should be" },
  { exit.network, "the API, or the bus, cannot be reached" },
  { exit.unauthorized, "the API, or the bus, refuses the credentials" },
  { exit.interrupted, "Ctrl-C" },
  { exit.unread, "nobody reads the output any more, as behind `| head -1`" },
}

return exit
