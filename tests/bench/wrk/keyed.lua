-- POST a 1 KiB body under one of KEYS cache keys (header X-Face-Key), in order: the load of nginx's cache case.
dofile("wrk/report.lua")
local file = assert(io.open("work/body-1k.json", "rb"))
local body, count, at, ready = file:read("*a"), tonumber(os.getenv("KEYS") or "2000"), 0, {}
function init()
    for i = 1, count do
        ready[i] = wrk.format("POST", nil, { ["Content-Type"] = "application/json",
                              ["X-Face-Key"] = string.format("f%031d", i) }, body)
    end
end
function request()
    at = at % count + 1
    return ready[at]
end
