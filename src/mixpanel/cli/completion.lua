-- What shells complete with, and the manual page: made of the parser, so that
-- they say what the commands take.
local exit = require("mixpanel.cli.exit")

local completion = {}

completion.summary = "Print what a shell completes with, or the manual page."
completion.description = completion.summary .. " `make install` installs all three."

function completion.add(parser)
  parser:argument("what", "bash, zsh or man."):choices({ "bash", "zsh", "man" })
end

-- Text as roff shows it: byte for byte.
local function roff(text)
  text = "\n" .. text:gsub("\\", "\\e"):gsub("%-", "\\-")
  return (text:gsub("\n([.'])", "\n\\&%1"):sub(2))
end

local function add_command(lines, command, path)
  local name = path .. " " .. command._name
  lines[#lines + 1] = (".SS %s\n.nf\n%s\n.fi"):format(roff(name), roff(command:get_help()))
  for _, own in ipairs(command._commands) do
    if own._name ~= "help" then
      add_command(lines, own, name)
    end
  end
end

local function manual(parser)
  local lines = {
    '.TH MIXPANEL 1 "" "mixpanel ' .. require("mixpanel")._VERSION .. '"',
    ".SH NAME\nmixpanel \\- " .. roff(parser._description),
    (".SH SYNOPSIS\n.nf\n%s\n.fi"):format(roff(parser:get_usage())),
    ".SH COMMANDS",
  }
  for _, command in ipairs(parser._commands) do
    if command._name ~= "help" then
      add_command(lines, command, "mixpanel")
    end
  end
  lines[#lines + 1] = ".SH EXIT STATUS"
  for _, meaning in ipairs(exit.meanings) do
    lines[#lines + 1] = (".TP\n%d\n%s"):format(meaning[1], roff(meaning[2]))
  end
  return table.concat(lines, "\n") .. "\n"
end

function completion.run(args, context)
  local parser = require("mixpanel.cli").parser()
  local text
  if args.what == "man" then
    text = manual(parser)
  else
    text = parser["get_" .. args.what .. "_complete"](parser)
  end
  context:print(text)
  return exit.ok
end

return completion
