-- What the exit statuses of all commands mean.
return {
  ok = 0,
  failed = 1, -- something else went wrong
  usage = 2, -- the command line is wrong
  refused = 3, -- some records were refused, here or by Mixpanel; all others arrived
  left = 4, -- some records have no outcome: they wait, or the run can be resumed
  input = 5, -- a file cannot be read or written, or is not what it should be
  network = 6, -- the API cannot be reached
  unauthorized = 7, -- the API refuses the credentials
  interrupted = 130, -- by Ctrl-C
  unread = 141, -- nobody reads the output any more, as behind `| head -1`
}
