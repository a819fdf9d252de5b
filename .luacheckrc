-- How `make lint` reads lua/. Redis runs Lua 5.1 with these five globals and lets a script create no other.
std = 'lua51'
read_globals = {'KEYS', 'ARGV', 'redis', 'cjson', 'struct'}

-- The loader puts lua/prelude.lua in front of every script: its local functions are in sight of each.
local prelude = {}
for line in io.lines('lua/prelude.lua') do
  table.insert(prelude, line:match('^local function ([%w_]+)') or line:match('^local ([%w_]+) ='))
end
files['lua/*.lua'] = {read_globals = prelude}

-- What the prelude defines is for others: not using it there is no mistake.
files['lua/prelude.lua'] = {ignore = {'211'}}
