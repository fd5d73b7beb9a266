-- Whether the API can be reached and takes the credentials.
local Context = require "mixpanel.cli.context"

local check = { summary = "Ask whether the API can be reached and takes the credentials." }

check.description = check.summary
  .. " Nothing is sent that Mixpanel would keep. Any token is taken as such:"
  .. " Mixpanel does not tell whether it belongs to a project."

function check.add(parser)
  Context.add_project(parser)
  parser
    :option("--timeout", "Seconds to wait.")
    :default("10")
    :convert(Context.seconds "--timeout")
    :argname "<s>"
end

function check.run(args, context)
  local client = context:client(args)
  local ok, message, code = client:check(args.timeout)
  if not ok then
    Context.fail(Context.status_of(code), "%s", message)
  end
  context:say "The API can be reached and takes the credentials."
  return context.exit.ok
end

return check
