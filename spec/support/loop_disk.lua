-- File systems in images of their own, which can be taken away and come back.
-- They are mounted where only the programs see them that are run by `disk:run`,
-- and are gone with the last of those when this process ends, however it ends:
-- the images too, which lie in a tmpfs.
local process = require "spec.support.process"
local script = require "spec.support.script"

local EXT4 = {
  make = "truncate -s 96M image && mkfs.ext4 -qF image && mkdir disk",
  check = "e2fsck -fy image >/dev/null; test $? -le 1",
  mount = "mount -o loop image disk",
  unmount = "umount disk",
  shut = "disk",
  spool = "disk/spool",
}

local function like_ext4(name, changes)
  changes.name = name
  return setmetatable(changes, { __index = EXT4 })
end

local kinds = {
  like_ext4("ext4", {}),
  like_ext4("ext4 without a journal", {
    make = "truncate -s 96M image && mkfs.ext4 -qF -O ^has_journal image && mkdir disk",
  }),
  like_ext4("XFS", {
    make = "truncate -s 320M image && mkfs.xfs -q image && mkdir disk",
    check = "true", -- mounting does it
  }),
  -- Cannot be shut down: it lies in an ext4 that is, and loses its disk.
  like_ext4("btrfs", {
    make = [[truncate -s 512M image && mkfs.ext4 -qF image && mkdir below disk &&
      mount -o loop image below && truncate -s 256M below/image &&
      mkfs.btrfs -q below/image && umount below]],
    mount = "mount -o loop image below && mount -o loop below/image disk",
    unmount = "umount disk && umount below",
    shut = "below",
  }),
  like_ext4("overlay", {
    mount = [[mount -o loop image disk && mkdir -p disk/low disk/up disk/work merged &&
      mount -t overlay -o lowerdir=disk/low,upperdir=disk/up,workdir=disk/work overlay merged]],
    unmount = "umount merged && umount disk",
    spool = "merged/spool",
  }),
}

local Disk = {}
Disk.__index = Disk

-- Runs a shell command that sees the mounts, in their directory: what it printed,
-- and its status.
function Disk:run(command)
  local line = ("nsenter -m -t %d sh -c 'cd %s/ram && { %s\n}'"):format(
    self.pid,
    self.home,
    command:gsub("'", "'\\''")
  )
  return script.shell(line)
end

function Disk:must(command)
  local printed, status = self:run(command)
  assert(status == 0, command .. ": " .. printed)
  return printed
end

-- Mounts a file system of that kind, which is new. Returns nil and why, where
-- that cannot be done.
function Disk:make(kind)
  self.kind = kind
  self.spool = self.home .. "/ram/" .. kind.spool
  local printed, status = self:run(kind.make .. " && { " .. kind.mount .. "; }")
  if status ~= 0 then
    return nil, printed:match "([^\n]*)\n?$"
  end
  return true
end

-- As a loss of power does; nil and why, where that cannot be done.
function Disk:shut()
  local printed, status = self:run(("%s %s"):format(self.program, self.kind.shut))
  if status == 77 then
    return nil, printed:match "([^\n]*)\n?$"
  end
  assert(status == 0, printed)
  return true
end

-- Mounts it again, mended; no process uses it.
function Disk:remount()
  local kind = self.kind
  process.wait_for(function()
    local _, status = self:run("{ " .. kind.unmount .. "; } 2>/dev/null")
    return status == 0
  end, "the end of a mount")
  self:must(kind.check)
  self:must(kind.mount)
end

-- All of it. Mounts go one by one first, as removing the directory that they are in
-- would leave each other to hold them for good.
function Disk:remove()
  if self.pid then
    self:run "for at in merged disk below; do umount -l $at; done"
  end
  self.holder:close()
  process.run("rm -rf " .. self.home)
end

-- A directory `home` with room for file systems; nil and why, where there can
-- be none.
local function new()
  local self = setmetatable({ home = os.tmpname() }, Disk)
  os.remove(self.home)
  process.run("mkdir -m 700 " .. self.home)
  process.run("mkdir " .. self.home .. "/ram")
  self.program = process.read("realpath " .. script.build .. "/spec/shut_down")
  local held = self.home .. "/held"
  -- Ends with its input, and that with this process.
  self.holder =
    assert(io.popen(
      ([[exec unshare -m sh -c 'mount -t tmpfs tmpfs %s/ram && echo $$ >%s.new &&
        mv %s.new %s && exec cat' 2>%s.why]]):format(self.home, held, held, held, held),
      "w"
    ))
  process.wait_for(function()
    self.pid = tonumber(process.slurp(held) or "")
    return self.pid or (process.slurp(held .. ".why") or ""):find "\n"
  end, "room for file systems")
  if not self.pid then
    local why = process.slurp(held .. ".why"):match "[^\n]+"
    self:remove()
    return nil, why
  end
  return self
end

return { kinds = kinds, new = new }
