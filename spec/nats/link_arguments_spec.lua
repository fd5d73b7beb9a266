-- What a link to NATS takes. No server is needed: none is asked for anything.
local nats = require "mixpanel.nats"
local raises = require "spec.support.raises"

describe("A link to NATS", function()
  local link

  before_each(function()
    link = assert(nats.open { servers = { "nats://127.0.0.1:1" } })
  end)

  after_each(function()
    link:close(20)
  end)

  it("has a clock that counts what the machine sleeps", function()
    local function uptime()
      local file = assert(io.open "/proc/uptime") -- proc(5): in hundredths of a second
      local text = file:read "*l"
      file:close()
      return tonumber(text:match "^%S+")
    end
    local before = uptime()
    local now = nats.clock()
    assert.is_true(before - 0.02 < now and now < uptime() + 0.02)
    assert.is_true(nats.clock() >= now)
  end)

  it("raises for options that are not right, without what may be secret", function()
    local list = 'expected a list of URLs such as "tls://n1:4222")'
    raises("bad argument #1 to 'open' (options: got 5, expected a table)", function()
      nats.open(5)
    end)
    raises("bad argument #1 to 'open' (option 'servers': " .. list, function()
      nats.open {}
    end)
    raises("bad argument #1 to 'open' (option 'servers': " .. list, function()
      nats.open { servers = { "nats://a", 5 } }
    end)
    raises(
      "bad argument #1 to 'open' (option \"stream\" is none of servers, credentials and ca_file)",
      function()
        nats.open { servers = { "nats://a" }, stream = "S" }
      end
    )
    for name, what in pairs { credentials = "a file", ca_file = "a PEM file" } do
      local text = ("bad argument #1 to 'open' (option '%s': expected the path of %s)"):format(
        name,
        what
      )
      raises(text, function()
        nats.open { servers = { "nats://a" }, [name] = "" }
      end)
    end
    local such = ': expected one such as "tls://n1:4222")'
    for fault, urls in pairs {
      ["begins with neither tls:// nor nats://"] = { "foo", "http://n1:4222", " tls://n1" },
      ["names no host of at most 255 bytes"] = {
        "nats://",
        "nats://:1",
        "tls://[]:1",
        "nats://[::1",
      },
      ["has something else behind its host than a port from 1 to 65535"] = {
        "nats://a:0",
        "nats://a:65536",
        "nats://a:x",
        "nats://a:",
        "nats://a/path",
      },
    } do
      for _, url in ipairs(urls) do
        raises(
          ("bad argument #1 to 'open' (option 'servers': URL 2, \"%s\", %s%s"):format(
            url,
            fault,
            such
          ),
          function()
            nats.open { servers = { "nats://a:65535", url } }
          end
        )
      end
    end
    local at = "bad argument #1 to 'open' (option 'servers': URL 1 has an @: who may connect is "
      .. "what the file of option 'credentials' says)"
    raises(at, function()
      nats.open { servers = { "nats://u:pass_word@a" } }
    end)
    raises(
      ("bad argument #1 to 'open' (option 'servers': URL 1, \"?%s...\", %s%s"):format(
        ("x"):rep(59),
        "begins with neither tls:// nor nats://",
        such
      ),
      function()
        nats.open { servers = { "\n" .. ("x"):rep(300) } }
      end
    )
  end)

  it("raises for subjects and bodies that are not right", function()
    local words = 'expected words with dots between them, such as "mp.events", without wildcards)'
    for subject, shown in pairs {
      ["a b"] = '"a b"',
      [""] = '""',
      ["a.*"] = '"a.*"',
      [">"] = '">"',
      ["a..b"] = '"a..b"',
      [".a"] = '".a"',
      ["a.b."] = '"a.b."',
      ["a\r\nPUB b"] = '"a??PUB b"',
      [("a"):rep(1025)] = '"' .. ("a"):rep(60) .. '"...',
      [7] = "7",
      [false] = "false",
    } do
      raises(("bad argument #1 to 'publish' (subject: got %s, %s"):format(shown, words), function()
        link:publish(subject, "")
      end)
    end
    raises("bad argument #2 to 'pull' (body: got nil, expected a string)", function()
      link:pull "a"
    end)
  end)

  it("raises for headers that are not right", function()
    raises(
      "bad argument #3 to 'request' (headers: got \"x\", expected a table { name = text }, or nil)",
      function()
        link:request("a", "", "x", 1)
      end
    )
    local line = "expected a string of one line, not empty)"
    for _, value in ipairs { 5, "", "a\nb", "a\0" } do
      local shown = value == 5 and "5" or ('"%s"'):format((value:gsub("%c", "?")))
      raises(
        ("bad argument #3 to 'request' (headers: A: got %s, %s"):format(shown, line),
        function()
          link:request("a", "", { A = value }, 1)
        end
      )
    end
    for _, name in ipairs { "", "a b", "a:", "ä" } do
      raises(
        ("bad argument #3 to 'request' (headers: name: got \"%s\", %s)"):format(
          name,
          "expected printable ASCII without spaces and colons"
        ),
        function()
          link:request("a", "", { [name] = "x" }, 1)
        end
      )
    end
  end)

  it("raises for times that are not right", function()
    local seconds =
      "bad argument #4 to 'request' (timeout: got %s, expected seconds from 0.001 to 1e9)"
    raises(seconds:format "0", function()
      link:request("a", "", nil, 0)
    end)
    raises(seconds:format "nil", function()
      link:request("a", "")
    end)
    raises("bad argument #1 to 'wait' (timeout: got -1, expected seconds from 0 to 1e9)", function()
      link:wait(-1)
    end)
    raises(
      "bad argument #1 to 'close' (timeout: got nil, expected seconds from 0 to 1e9)",
      function()
        link:close()
      end
    )
  end)

  it("that is closed says so", function()
    assert.is_true(link:close(20))
    assert.is_true(link:close(20))
    local closed = { nil, "nats: the link is closed" }
    assert.same(closed, { link:request("a", "", nil, 1) })
    assert.same(closed, { link:pull("a", "") })
    assert.same(closed, { link:publish("a", "") })
    assert.same(closed, { link:wait(1) })
    assert.same({ false, "nats: the link is closed" }, { link:connected() })
  end)
end)
