-- POST signed verifications from work/load/requests.txt (see inputs.py), each with an order, a nonce and a signature of its own.
dofile("wrk/report.lua")
local lines, subjects, at = {}, {}, 0
local node, head, before_nonce, before_body

function init()
    local file = assert(io.open("work/load/requests.txt"))
    local scheme, stamp = file:read("*l"), file:read("*l")
    local middle, tail
    head, middle, tail = file:read("*l"), file:read("*l"), file:read("*l")
    for line in file:lines() do lines[#lines + 1] = line end
    for i = 1, 2000 do subjects[i] = middle .. string.format("user-%06d", i - 1) .. tail end
    node = scheme == "node"
    local common = "POST /v1/verifications HTTP/1.1\r\nHost: edge.test\r\nContent-Type: application/json\r\n"
    before_nonce = common .. (node and "" or "X-App-Id: app-1\r\n") .. "X-Timestamp: " .. stamp .. "\r\nX-Nonce: "
    before_body = "\r\nContent-Length: 1024\r\n\r\n" .. head
end

-- A line is "order nonce signature body-hash": 20, 32, 64 and 64 characters.
function request()
    at = at + 1
    local line = assert(lines[at], "work/load/requests.txt is too short for this run")
    local order, nonce, mac, rest = line:sub(1, 20), line:sub(22, 53), line:sub(55, 118), subjects[(at - 1) % 2000 + 1]
    if node then
        return before_nonce .. nonce .. "\r\nX-Content-SHA256: " .. line:sub(120)
            .. "\r\nAuthorization: HMAC-SHA256 SecretId=app-1, Signature=" .. mac .. before_body .. order .. rest
    end
    return before_nonce .. nonce .. "\r\nX-Signature: " .. mac .. before_body .. order .. rest
end
