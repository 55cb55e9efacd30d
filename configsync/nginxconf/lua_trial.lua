
-- The agent's self-test: can the code above keep a set and choose from it?
local status, why = apply("sluice-live 1\nset a\n10.0.0.1:80 1 0\n[::1]:80 2 1 down\nversion 1\n")
assert(status == 200, why)
assert(M.open("a") == "1" and M.open("b") == "")
assert(choose(current("a"), nil, 0).host == "10.0.0.1")
assert(type(balancer.set_current_peer) == "function" and type(balancer.set_more_tries) == "function")
io.stdout:write("sluice-lua: passed\n")
io.stdout:flush()
os.exit(0)
