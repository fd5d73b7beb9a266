-- `mixpanel dead`: what a forwarder could not deliver is listed, and sent again.
local cjson = require "cjson"
local forwarding = require "spec.support.forwarding"
local mixpanel = require "mixpanel"
local unpack = table.unpack or unpack -- luacheck: ignore

describe("mixpanel dead", function()
  local here = forwarding()
  local OTHER = "anothertoken"

  local function dead(...)
    local printed, complaints, status = here.fleet:run("dead " .. (...), { select(2, ...) })
    return printed, complaints, status
  end

  -- Two events that are refused for their names, and one message that is garbage.
  local function make_letters()
    here.fleet:projects { { token = here.TOKEN }, { token = OTHER } }
    local forwarder = here.fleet:start()
    here.server:script {
      endpoint = "/track",
      match = "projecttoken",
      times = 3, -- both together, then each
      ingest = false,
      body = { status = 0, error = "not today" },
    }
    here.put("events", { here.event "A", here.event "B" })
    here.fleet:until_dead(2)
    here.fleet:put(here.subject("people", OTHER), "\31\139")
    here.fleet:until_dead(3)
    here.fleet:settle(10)
    here.server:reset()
    return forwarder
  end

  it("lists letters: which, where from, when and why", function()
    make_letters()
    local printed, complaints, status = dead "list"
    assert.same({ "", 0 }, { complaints, status })
    local mine = mixpanel.bus_subject(here.TOKEN):sub(4)
    local other = mixpanel.bus_subject(OTHER):sub(4)
    local lines = {}
    for line in printed:gmatch "[^\n]+" do
      lines[#lines + 1] = line
    end
    assert.matches(("^1  %s.events  %%d+%%-%%d+%%-%%d+T[%%d:]+: not today$"):format(mine), lines[1])
    assert.matches(("^2  %s.events  %%S+: not today$"):format(mine), lines[2])
    assert.matches(("^3  %s.people  %%S+: json: the gzip is damaged$"):format(other), lines[3])
    assert.equal(3, #lines)
    printed = dead("list", "--token", OTHER)
    assert.equal(lines[3] .. "\n", printed)
    printed = dead("list", "--token", "athird")
    assert.equal("", printed)
    printed = dead("list", "--records", "--token", here.TOKEN)
    local names = {}
    for line in printed:gmatch "[^\n]+" do
      names[#names + 1] = cjson.decode(line).event
    end
    assert.same({ "A", "B" }, names)
  end)

  it("sends one again, which is forwarded once more", function()
    make_letters()
    local printed, complaints, status = dead("resend", "2")
    assert.same({ "1 sent again.\n", "", 0 }, { printed, complaints, status })
    here.fleet:settle(10)
    here.same_names { "B" }
    assert.equal(2, #here.fleet:dead())
    printed, complaints, status = dead("resend", "2")
    assert.equal("", printed)
    assert.equal("mixpanel: there is no dead letter 2; 0 were sent again\n", complaints)
    assert.equal(5, status)
    complaints, status = select(2, dead("resend", "1", "--token", OTHER))
    assert.same({ "mixpanel: --token: only with all, as a number says which letter\n", 2 }, {
      complaints,
      status,
    })
    assert.equal(2, #here.fleet:dead())
    local no_numbers = { "0", "1.5", "some", "-", "1e0", "0x1", " 1", "+1", "9007199254740993" }
    for _, wrong in ipairs(no_numbers) do
      complaints, status = select(2, dead("resend", "1", wrong)) -- none is sent before it
      assert.matches(wrong .. ": expected a number", complaints, 1, true)
      assert.matches("expected a number as `mixpanel dead list` shows, or all", complaints)
      assert.equal(2, status)
    end
    for _, words in ipairs { { "all", "1" }, { "1", "all" } } do
      complaints, status = select(2, dead("resend", unpack(words)))
      local said = ("mixpanel: %s: all stands alone\n"):format(table.concat(words, " "))
      assert.same({ said, 2 }, { complaints, status })
    end
    assert.equal(2, #here.fleet:dead())
  end)

  it("sends all again, of one project or of each", function()
    make_letters()
    assert.equal("2 sent again.\n", (dead("resend", "all", "--token", here.TOKEN)))
    here.fleet:settle(10)
    here.same_names { "A", "B" }
    assert.equal(1, #here.fleet:dead())
    assert.equal("1 sent again.\n", (dead("resend", "all")))
    -- still no batch: it is back
    local letter = here.fleet:until_dead(1)[1]
    assert.equal("\31\139", letter.body)
    assert.matches("^dead%-3%-[%d%-]+T[%d:.]+Z%-0$", letter.headers["Nats-Msg-Id"])
  end)

  -- The command may die between the two things that it does.
  it("stores once what it sends twice", function()
    local forwarder = make_letters()
    forwarder:stop()
    local subject = here.subject "events"
    local body = here.fleet:dead()[1].body
    local before = here.servers:count()
    local time = here.servers:api("STREAM.MSG.GET.MIXPANEL_DEAD", { seq = 1 }).message.time
    here.fleet:put(subject, body, { ["Nats-Msg-Id"] = "dead-1-" .. time, ["Mp-Format"] = "1" })
    assert.equal("1 sent again.\n", (dead("resend", "1")))
    assert.equal(before + 1, here.servers:count())
    assert.equal(2, #here.fleet:dead())
  end)

  local function put_letter(body, headers)
    headers["Mp-Dead-Reason"] = "a reason"
    here.fleet:put(here.subject("events"):gsub("^mp", "mp-dead"), body, headers)
  end

  it("takes no letter for that of its number in a stream that was made anew", function()
    for n = 1, 2 do
      put_letter(cjson.encode { here.event("E" .. n) }, { ["Mp-Format"] = "1" })
      assert.equal("1 sent again.\n", (dead("resend", "1")))
      assert.equal(n, here.servers:count())
      here.servers:api "STREAM.DELETE.MIXPANEL_DEAD"
      here.fleet:create()
    end
  end)

  it("lists records as JSON, one a line, whatever else is there", function()
    put_letter('[{"event":\r\n"E\\n"}]', { ["Mp-Format"] = "1" })
    put_letter("[garbage]", { ["Mp-Format"] = "1" })
    put_letter("[]", { ["Mp-Format"] = "1" })
    put_letter("\31\139\n[1]", {})
    assert.same({
      '{"event":  "E\\n"}\n',
      "left out, as no record is in them: 3; without --records they are shown\n",
      0,
    }, { dead("list", "--records") })
  end)

  it("leaves what is there by its reason alone", function()
    put_letter("", { ["Mp-Dead-Bytes"] = "2000000" })
    put_letter(cjson.encode { here.event "E" }, { ["Mp-Format"] = "1" })
    local said = "dead letter 1 is there by its reason alone, so it stays"
    local printed, complaints, status = dead("resend", "1")
    assert.same({ "", "mixpanel: " .. said .. "; 0 were sent again\n", 5 }, {
      printed,
      complaints,
      status,
    })
    printed, complaints, status = dead("list", "--records")
    assert.equal("E", cjson.decode(printed).event)
    assert.same(
      { "left out, as no record is in them: 1; without --records they are shown\n", 0 },
      { complaints, status }
    )
    printed, complaints, status = dead("resend", "all")
    assert.same({ "1 sent again.\n", said .. "\n", 0 }, { printed, complaints, status })
    assert.equal(1, here.servers:count())
    assert.equal(1, #here.fleet:dead())
  end)

  it("says that there is no such stream, or no bus", function()
    here.fleet:delete_streams()
    for _, words in ipairs { { "list" }, { "resend", "all" }, { "resend", "1" } } do
      local _, complaints, status = dead(unpack(words))
      assert.matches("MIXPANEL_DEAD.*mixpanel forward %-%-create", complaints)
      assert.equal(6, status)
    end
  end)
end)
