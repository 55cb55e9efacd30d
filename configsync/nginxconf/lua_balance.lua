-- Balances by endpoint sets that the agent pushes, so that they change without a reload.
-- It runs once, when nginx reads its configuration: a worker keeps the code that it began with.
local balancer = require "ngx.balancer"
local dict = ngx.shared.sluice_live_1 -- name: number of its change; "t:" name: its text
local M = {}
sluice_live = M

local fail_for = 10 -- seconds in which a failed endpoint is asked last, as nginx's fail_timeout
local sets = {} -- parsed, of this worker

local function is_host(host)
  if host:match("^%[[%x:.]+%]$") then
    return host:find(":", 1, true) ~= nil
  end
  local a, b, c, d = host:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  return a ~= nil and #a < 4 and #b < 4 and #c < 4 and #d < 4 and tonumber(a) < 256 and tonumber(b) < 256
    and tonumber(c) < 256 and tonumber(d) < 256
end

-- A line is ADDRESS:PORT WEIGHT PRIORITY, and " down" behind it for one that gets no requests.
local function parse_line(line)
  local host, port, weight, priority, rest = line:match("^([^ ]+):(%d+) (%d+) (%d+)(.*)$")
  if not host or #port > 5 or #weight > 9 or #priority > 9 or not is_host(host) or (rest ~= "" and rest ~= " down") then
    return nil
  end
  port = tonumber(port)
  if port < 1 or port > 65535 then
    return nil
  end
  return { key = host .. ":" .. port, host = host, port = port, weight = tonumber(weight), priority = tonumber(priority),
    down = rest ~= "", current = 0, failed = 0 }
end

-- Takes the free endpoint whose turn it is: smooth weighted round robin among those of the
-- lowest priority that has one.
local function choose(set, tried, now)
  for i = 1, #set.groups do
    local group, best, total = set.groups[i], nil, 0
    for j = 1, #group do
      local e = group[j]
      if e.failed <= now and not (tried and tried[e.key]) then
        e.current = e.current + e.weight
        total = total + e.weight
        if not best or e.current > best.current then
          best = e
        end
      end
    end
    if best then
      best.current = best.current - total
      return best
    end
  end
  return nil
end

-- Parses a set. What an endpoint has gathered stays with its address; a set that is new to
-- the worker begins somewhere, so that workers do not all begin with the same endpoint.
local function build(name, change, old)
  local set = { change = change, groups = {}, count = 0, known = {} }
  local by_priority, order = {}, {}
  for line in (dict:get("t:" .. name) or ""):gmatch("[^\n]+") do
    local e = parse_line(line)
    if e and e.weight > 0 and not e.down then
      local before = old and old.known[e.key]
      if before then
        e.current, e.failed = before.current, before.failed
      end
      if not by_priority[e.priority] then
        by_priority[e.priority] = {}
        order[#order + 1] = e.priority
      end
      local group = by_priority[e.priority]
      group[#group + 1] = e
      set.known[e.key] = e
      set.count = set.count + 1
    end
  end
  table.sort(order)
  for i = 1, #order do
    set.groups[i] = by_priority[order[i]]
  end
  if not old and set.count > 1 then
    for _ = 1, ngx.worker.pid() % math.min(set.count, 64) do
      choose(set, nil, 0)
    end
  end
  return set
end

local function current(name)
  local change, set = dict:get(name), sets[name]
  if not set or set.change ~= change then
    set = build(name, change, set)
    sets[name] = set
  end
  return set
end

-- For set_by_lua: "1" when the upstream has an endpoint to ask, else "".
function M.open(name)
  return current(name).count > 0 and "1" or ""
end

-- For balancer_by_lua.
function M.balance(name)
  local set, ctx = current(name), ngx.ctx
  local last, tried = ctx.sluice_last, nil
  if last then
    tried = ctx.sluice_tried or {}
    ctx.sluice_tried = tried
    tried[last.key] = true
    local now_known = set.known[last.key]
    if now_known and balancer.get_last_failure() == "failed" then
      now_known.failed = ngx.now() + fail_for
    end
  elseif set.count > 1 then
    balancer.set_more_tries(set.count - 1) -- no more than proxy_next_upstream_tries
  end
  -- All are failed: better one of them than none. All are tried: a kept connection was stale.
  local e = choose(set, tried, ngx.now()) or choose(set, tried, math.huge) or choose(set, nil, math.huge)
  if not e then
    return ngx.exit(-3) -- the last one went after M.open: nginx answers 502
  end
  ctx.sluice_last = e
  local ok, why = balancer.set_current_peer(e.host, e.port)
  if not ok then
    ngx.log(ngx.ERR, "sluice: endpoint ", e.key, " of ", name, ": ", why)
    return ngx.exit(ngx.ERROR)
  end
end

local function is_name(name)
  return #name <= 250 and name:match("^[a-z0-9_.-]+$") ~= nil
end

-- Reads a push completely before anything is changed.
local function parse(text)
  local push, set = { sets = {}, deletes = {} }, nil
  local number = 0
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    local word, value = line:match("^(%l+) ([^ ]+)$")
    if push.version then
      return nil, "line " .. number .. " stands behind the version"
    elseif number == 1 then
      if line ~= "sluice-live 1" then
        return nil, "line 1 is not \"sluice-live 1\""
      end
    elseif word == "from" and not set and value:match("^[%w-]+$") then
      push.from = value
    elseif word == "set" and is_name(value) then
      set = { name = value, lines = {} }
      push.sets[#push.sets + 1] = set
    elseif word == "delete" and is_name(value) then
      push.deletes[#push.deletes + 1] = value
    elseif word == "version" and value:match("^[%w-]+$") then
      push.version = value
    elseif set and parse_line(line) then
      set.lines[#set.lines + 1] = line
    else
      return nil, "line " .. number .. " is not understood"
    end
  end
  if not push.version then
    return nil, "it has no version at its end"
  end
  return push
end

local function store(key, value)
  local ok, why = dict:safe_set(key, value)
  return ok, why
end

-- Puts a push into the dictionary: the text first, then the number that makes workers read it.
local function apply(text)
  local push, why = parse(text)
  if not push then
    return 400, why
  end
  if push.from and push.from ~= dict:get("=version") then
    return 409, "it has other sets"
  end
  for _, set in ipairs(push.sets) do
    local lines = table.concat(set.lines, "\n")
    if dict:get("t:" .. set.name) ~= lines then
      local ok, err = store("t:" .. set.name, lines)
      if ok then
        ok, err = store(set.name, dict:incr("=changes", 1, 0))
      end
      if not ok then
        return 507, "set " .. set.name .. ": " .. err
      end
    end
  end
  for _, name in ipairs(push.deletes) do
    dict:delete(name)
    dict:delete("t:" .. name)
  end
  local ok, err = store("=version", push.version)
  if not ok then
    return 507, err
  end
  return 200, push.version
end

-- For content_by_lua of the agent's socket: POST pushes, GET reads the version back.
function M.serve()
  local status, text = 200, dict:get("=version") or "none"
  if ngx.req.get_method() == "POST" then
    ngx.req.read_body()
    status, text = apply(ngx.req.get_body_data() or "")
  end
  ngx.status = status
  ngx.say(text)
end

-- Reads what the agent wrote, if nginx has no sets: it was started, and not reloaded.
function M.load(path)
  if dict:get("=version") then
    return
  end
  local file = io.open(path, "rb")
  if not file then
    return
  end
  local text = file:read("*a")
  file:close()
  local status, why = apply(text)
  if status ~= 200 then
    ngx.log(ngx.ERR, "sluice: ", path, ": ", why)
  end
end
