-- What sysbench sends to vtgate: one statement on the store's own table, for what a single GET or PUT needs.

sysbench.cmdline.options = {
   operation = { "get or put", "get" },
   keys = { "how many keys there are", 10000 },
}

local SELECT = "SELECT `key`, version, content_type, metadata, expires_at, value FROM entries WHERE `key` = '%s'"
local UPSERT = "INSERT INTO entries (`key`, version, expires_at, content_type, metadata, value) "
   .. "VALUES ('%s', '%s', NULL, 'application/octet-stream', NULL, '%s') AS fresh ON DUPLICATE KEY UPDATE "
   .. "version = fresh.version, expires_at = fresh.expires_at, content_type = fresh.content_type, "
   .. "metadata = fresh.metadata, value = fresh.value"
local VALUE = string.rep("v", 256)

function thread_init()
   connection = sysbench.sql.driver():connect()
end

function event()
   local key = string.format("bench/key%04d", sysbench.rand.uniform(0, sysbench.opt.keys - 1))
   if sysbench.opt.operation == "put" then
      connection:query(string.format(UPSERT, key, sysbench.rand.string("@@@@@@@@@@@@@@@@"), VALUE))
   else
      local result = connection:query(string.format(SELECT, key))
      if result.nrows ~= 1 then
         error("there is no row with the key " .. key)
      end
   end
end
