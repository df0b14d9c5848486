-- Gives answers of Chancery's REST paths the form that clients of these paths expect.
--
-- Envoy's own transcoder makes JSON of a method's answer, and stops at two things:
--
-- * It knows no `response_body`: `google.api.http` says that `GET /v1/admin/users/{id}` answers with the user alone, and Envoy
--   would answer with {"user": {…}}, and does not start with a path that says so. `bodies` below repeats what the paths say; the
--   tests hold it against them.
-- * Its errors are google.rpc.Status, {"code", "message", "details"}, and those that it makes itself are plain text. Here
--   all become {"errorCode", "generalMessage", "timestamp"}, with `details` of what Chancery has refused.
--
-- What stood beside an object is in headers then: chancery-consistency-token and chancery-next-page-token. Clients of these paths know no
-- pages, so a list without `pageSize` is asked for as long as it may be.
--
-- It stands before the transcoder in the list of HTTP filters, so that answers reach it after that one. gRPC goes past it.

local bodies = {
  ["/chancery.v1.RightsDocumentService/AssignRightsDocument"] = "assignments",
  ["/chancery.v1.RightsDocumentService/CreateRightsDocument"] = "rightsDocument",
  ["/chancery.v1.RightsDocumentService/DeleteRightsDocument"] = "rightsDocument",
  ["/chancery.v1.RightsDocumentService/GetAggregatedRights"] = "rightsDocuments",
  ["/chancery.v1.RightsDocumentService/GetRightsDocument"] = "rightsDocument",
  ["/chancery.v1.RightsDocumentService/ListAssignedMasterRightsDocuments"] = "rightsDocuments",
  ["/chancery.v1.RightsDocumentService/ListAssignedRightsDocuments"] = "rightsDocuments",
  ["/chancery.v1.RightsDocumentService/ListRightsDocumentAssignments"] = "assignments",
  ["/chancery.v1.RightsDocumentService/ListRightsDocuments"] = "rightsDocuments",
  ["/chancery.v1.RightsDocumentService/UnassignRightsDocument"] = "assignment",
  ["/chancery.v1.RightsDocumentService/UpdateRightsDocument"] = "rightsDocument",
  ["/chancery.v1.RoleService/AddUserRole"] = "roleGrant",
  ["/chancery.v1.RoleService/ListUserRoles"] = "roleGrants",
  ["/chancery.v1.RoleService/RemoveUserRole"] = "roleGrants",
  ["/chancery.v1.TokenService/CreateApiToken"] = "secret",
  ["/chancery.v1.TokenService/DeleteApiToken"] = "apiToken",
  ["/chancery.v1.TokenService/ListApiTokens"] = "apiTokens",
  ["/chancery.v1.TokenService/ValidateToken"] = "valid",
  ["/chancery.v1.UserService/CheckUserNameAvailability"] = "available",
  ["/chancery.v1.UserService/CreateUser"] = "user",
  ["/chancery.v1.UserService/DeleteUser"] = "user",
  ["/chancery.v1.UserService/GetUser"] = "user",
  ["/chancery.v1.UserService/ListUsers"] = "users",
  ["/chancery.v1.UserService/ReassignChildren"] = "users",
  ["/chancery.v1.UserService/SetUserActive"] = "isActive",
  ["/chancery.v1.UserService/UpdateUser"] = "user",
}

-- The paths that list something.
local lists = {
  "^/v1/admin/users$",
  "^/v1/admin/users/[^/]+/roles$",
  "^/v1/admin/users/[^/]+/rightsDocs$",
  "^/v1/admin/users/[^/]+/assignedRightsDocs$",
  "^/v1/admin/users/[^/]+/assignedMasterRightsDocs$",
  "^/v1/admin/rightsDocs/[^/]+/assignments$",
  "^/v1/admin/token$",
}

-- What an answer that has no reason of Chancery's is called, and what it says where its own words are not for clients.
local codes = {
  ["400"] = { "invalid.request.exception" },
  ["401"] = { "unauthenticated.exception", "a valid credential is needed" },
  ["403"] = { "access.denied.exception", "you do not have permission to access this resource" },
  ["404"] = { "not.found.exception", "there is no such resource" },
  ["405"] = { "method.not.allowed.exception", "the resource does not have this method" },
  ["409"] = { "conflict.exception", "the resource is not in the state that this needs" },
  ["413"] = { "request.too.large.exception", "the request is too large" },
  ["415"] = { "unsupported.media.type.exception", "the content-type is not application/json" },
  ["429"] = { "rate.limited.exception", "too many requests: try again later" },
  ["503"] = { "unavailable.exception", "the service cannot be reached: try again" },
  ["504"] = { "deadline.exception", "the request was not done in time" },
}
local other = { "internal.exception", "the request could not be served" }

-- Returns where a string ends that begins at `at`. All that is read here was written by the transcoder, so it is sound JSON.
local function string_end(json, at)
  local i = at + 1
  while true do
    i = string.find(json, '["\\]', i)
    if i == nil then return #json end
    if string.byte(json, i) == 34 then return i end
    i = i + 2
  end
end

-- Returns where a value ends that begins at `at`.
local function value_end(json, at)
  local depth, i = 0, at
  while true do
    i = string.find(json, '["{}%[%],]', i)
    if i == nil then return #json end
    local c = string.sub(json, i, i)
    if c == '"' then
      i = string_end(json, i)
    elseif c == "{" or c == "[" then
      depth = depth + 1
    elseif depth == 0 then
      -- The comma or bracket after a number or a word.
      return i - 1
    elseif c ~= "," then
      depth = depth - 1
    end
    if depth == 0 and c ~= "," then return i end
    i = i + 1
  end
end

-- Returns the JSON of one field of an object; nil where it is not there.
local function field_of(json, name)
  local i = 2
  while true do
    i = string.find(json, '"', i, true)
    if i == nil then return nil end
    local stop = string_end(json, i)
    local start = string.find(json, "[^%s:]", stop + 1)
    local last = value_end(json, start)
    if string.sub(json, i + 1, stop - 1) == name then return string.sub(json, start, last) end
    i = last + 1
  end
end

local function quoted(text)
  local plain = string.gsub(text, '[%c"\\\128-\255]', function(c)
    return string.format("\\u%04x", string.byte(c))
  end)
  return '"' .. plain .. '"'
end

-- Chancery's reason as an error code: ACCESS_DENIED is access.denied.exception.
local function code_of(details)
  local reason = details and string.match(details, 'google%.rpc%.ErrorInfo","reason":"([%u%d_]+)"')
  return reason and string.gsub(string.lower(reason), "_", ".") .. ".exception"
end

-- How many seconds to wait, of {"retryDelay":"0.5s"}, rounded up.
local function pause_of(details)
  local pause = details and string.match(details, '"retryDelay":"([%d.]+)s"')
  return pause and string.format("%d", math.ceil(tonumber(pause)))
end

local function body_of(handle)
  local body = handle:body(true)
  local length = body:length()
  return body, length > 0 and body:getBytes(0, length) or ""
end

local function set(handle, body, json, kind)
  local headers = handle:headers()
  headers:replace("content-type", kind)
  headers:replace("content-length", tostring(body:setBytes(json)))
end

local function refuse(handle, status)
  local body, text = body_of(handle)
  local code, message, details, pause
  if string.sub(text, 1, 1) == "{" then
    -- Another filter that speaks to the same clients has said it all.
    if field_of(text, "errorCode") then return end
    message, details = field_of(text, "message"), field_of(text, "details")
    code, pause = code_of(details), pause_of(details)
  end
  local known = codes[status] or other
  if message == nil then
    -- What Envoy says of a request helps its sender; what it says of our servers does not.
    local spoken = tonumber(status) < 500 and text ~= "" and text
    message = quoted(spoken or known[2] or "the request makes no sense")
  end
  local json = '{"errorCode":"' .. (code or known[1]) .. '","generalMessage":' .. message
  if details then json = json .. ',"details":' .. details end
  json = json .. ',"timestamp":' .. tostring(handle:timestamp()) .. "}"
  if pause then handle:headers():replace("retry-after", pause) end
  set(handle, body, json, "application/json")
end

local function unwrap(handle, name)
  local body, text = body_of(handle)
  local json = field_of(text, name)
  -- Of a rehearsal (`validateOnly`), what would happen is the answer.
  if json == nil or field_of(text, "preview") then return end
  for field, header in pairs({ consistencyToken = "chancery-consistency-token", nextPageToken = "chancery-next-page-token" }) do
    local token = field_of(text, field)
    if token and #token > 2 then handle:headers():replace(header, string.sub(token, 2, -2)) end
  end
  -- A secret that is all of an answer: it has no letter that JSON would write otherwise.
  if string.sub(json, 1, 1) == '"' then
    set(handle, body, string.sub(json, 2, -2), "text/plain")
  else
    set(handle, body, json, "application/json")
  end
end

local function whole(path)
  local bare, query = string.match(path, "^([^?]*)%??(.*)$")
  if string.find("&" .. query, "&pageSize=", 1, true) then return path end
  for _, list in ipairs(lists) do
    if string.find(bare, list) then
      return bare .. "?" .. query .. (query == "" and "" or "&") .. "pageSize=1000"
    end
  end
  return path
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local kind = headers:get("content-type")
  if kind and string.sub(kind, 1, 16) == "application/grpc" then return end
  handle:streamInfo():dynamicMetadata():set("chancery.rest", "is", true)
  if headers:get(":method") == "GET" then headers:replace(":path", whole(headers:get(":path"))) end
end

function envoy_on_response(handle)
  local seen = handle:streamInfo():dynamicMetadata():get("chancery.rest")
  if seen == nil or not seen["is"] then return end
  local headers = handle:headers()
  local status = headers:get(":status")
  for _, name in ipairs({ "grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-accept-encoding" }) do
    headers:remove(name)
  end
  if tonumber(status) >= 400 then
    refuse(handle, status)
  elseif seen["method"] and bodies[seen["method"]] then
    unwrap(handle, bodies[seen["method"]])
  end
end
