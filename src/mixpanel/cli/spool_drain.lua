-- `spool drain`: delivers what dead processes left.
local deliver = require "mixpanel.cli.deliver"

local drain = {}

function drain.run(args, context)
  local client = deliver.open(args, context)
  local interrupted = deliver.wait(client, args)
  return deliver.tell(client, interrupted, context)
end

return drain
