-- How `make lint` reads lua/. Redis runs Lua 5.1 with these five globals and lets a script create no other.
std = 'lua51'
read_globals = {'KEYS', 'ARGV', 'redis', 'cjson', 'struct'}

-- The loader puts what a script calls of lua/prelude/ in front of it: those functions are in sight of each.
local lfs, prelude = require('lfs'), {}
for part in lfs.dir('lua/prelude') do
  if part:match('%.lua$') then
    for line in io.lines('lua/prelude/' .. part) do
      table.insert(prelude, line:match('^local function ([%w_]+)'))
    end
  end
end
files['lua/**/*.lua'] = {read_globals = prelude}

-- What the prelude defines is for others: not using it there is no mistake.
files['lua/prelude/*.lua'] = {ignore = {'211'}}
