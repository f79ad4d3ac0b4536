import RedisClient

/// The scripts that Redis runs for a store, each one atomic and short: none walks what it does not name.
///
/// What must work when memory is full says so (`allow-oom`); Redis 7 is the first that understands it.
enum Scripts {
    /// `clear(index)`: makes room for an index where somebody else has put something.
    private static let clear = """
        local function clear(index)
          local type = redis.call('TYPE', index).ok
          if type ~= 'zset' and type ~= 'none' then redis.call('UNLINK', index) end
        end

        """

    /// Stores a variant, unless it was overtaken, in place of those it replaces: the one of its name, and those of its
    /// family whose codings are among its own. Those that were invalidated with all variants of the key go, too. Beyond
    /// the most variants, and the most bytes of all of them, the least recently used are evicted.
    ///
    /// Keys: entry, index, ledger; arguments: value, the variant's family, its codings (-1: none count), time to live
    /// in milliseconds, the most variants, birth (epoch 2, number), the most bytes of all variants, the number of
    /// variants that were used, their fields (the least recent first), covers…. Replies 1 or 0, alive or not, and as
    /// ``LedgerReading`` reads.
    static let save = RedisScript(
        "#!lua\n" + standing + version + clear + """
            local entry, index, ledger = KEYS[1], KEYS[2], KEYS[3]
            local value, family, codings = ARGV[1], ARGV[2], tonumber(ARGV[3])
            local ttl, limit, room, uses = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[9]), tonumber(ARGV[10])
            local s, read = standing(ledger), tonumber(ARGV[8])
            local isAlive = tonumber(s[1]) == tonumber(ARGV[6]) and tonumber(s[2]) == tonumber(ARGV[7])
            local newest = 0
            local function compare(stamp, member)
              local number = version(s, ledger, member, stamp, read)
              if read < number then isAlive = false end
              if member:sub(1, 1) ~= 't' then newest = math.max(newest, number) end
            end
            compare(s[4], '!floor')
            -- Lua takes some thousand values from one `unpack`.
            for first = 11 + uses, #ARGV, 1000 do
              local last = math.min(first + 999, #ARGV)
              local stamps = redis.call('ZMSCORE', ledger, unpack(ARGV, first, last))
              for i = first, last do compare(stamps[i - first + 1], ARGV[i]) end
            end
            local reply = {isAlive and 1 or 0, unpack(s, 1, 9)}
            if not isAlive then return reply end

            clear(index)
            if ttl <= 0 or redis.call('TYPE', entry).ok ~= 'hash' then redis.call('UNLINK', entry) end
            if ttl <= 0 then
              redis.call('ZREM', index, entry)
              return reply
            end
            local field = codings > 0 and string.format('%s?%x', family, codings) or family
            local kept, last, bytes, used = {}, 0, #value, {}
            for i = 1, uses do used[ARGV[10 + i]] = i end
            for _, other in ipairs(redis.call('HKEYS', entry)) do
              if other ~= field and other:sub(1, 2) == 'v:' then
                local place = 'o:' .. other:sub(3)
                local theirs = other == family and 0
                  or other:sub(1, #family + 1) == family .. '?' and tonumber(other:sub(#family + 2), 16)
                local text = redis.call('HGET', entry, place) or ''
                local order, high, low, number = text:match('^(%d+) (%d+) (%d+) (%d+)$')
                -- What all variants of a key share was invalidated: its key, its path, everything.
                local isDead = high ~= ARGV[6] or low ~= ARGV[7] or tonumber(number) < newest
                if isDead or codings >= 0 and theirs and bit.band(theirs, codings) == theirs then
                  redis.call('HDEL', entry, other, place)
                else
                  order = tonumber(order)
                  if order > 9007199254740991 then order = 0 end
                  local size = redis.call('HSTRLEN', entry, other)
                  kept[#kept + 1] = {other, place, order, size}
                  last, bytes = math.max(last, order), bytes + size
                end
              end
            end
            table.sort(kept, function(a, b)
              local x, y = used[a[1]] or 0, used[b[1]] or 0
              if x ~= y then return x < y end
              return a[3] < b[3]
            end)
            local left = #kept
            for _, other in ipairs(kept) do
              if left < limit and bytes <= room then break end
              redis.call('HDEL', entry, other[1], other[2])
              left, bytes = left - 1, bytes - other[4]
            end
            local order = string.format('%d %s %s %s', last + 1, ARGV[6], ARGV[7], ARGV[8])
            redis.call('HSET', entry, field, value, 'o:' .. field:sub(3), order)
            if left == 0 or redis.call('PTTL', entry) < ttl then redis.call('PEXPIRE', entry, ttl) end
            local time = redis.call('TIME')
            local until_ = time[1] * 1000 + math.floor(time[2] / 1000) + redis.call('PTTL', entry)
            redis.call('ZADD', index, until_, entry)
            return reply
            """
    )

    /// Removes a variant if it is still the one meant, and older ones that may answer the same requests: all but those
    /// of its rule that were selected for other values. Keys: entry, index; arguments: field, birth (epoch 2, number),
    /// family, rule.
    static let discard = RedisScript(
        "#!lua flags=allow-oom\n" + """
            local place = 'o:' .. ARGV[1]:sub(3)
            local order = redis.call('HGET', KEYS[1], place) or ''
            if order:match(' .*') ~= string.format(' %s %s %s', ARGV[2], ARGV[3], ARGV[4]) then return 0 end
            redis.call('HDEL', KEYS[1], ARGV[1], place)
            local family, rule = ARGV[5], ARGV[6]
            for _, other in ipairs(redis.call('HKEYS', KEYS[1])) do
              if other:sub(1, 2) == 'v:' then
                local isFamily = other == family or other:sub(1, #family + 1) == family .. '?'
                local isApart = rule ~= '' and other:sub(1, #rule) == rule and not isFamily
                local its = 'o:' .. other:sub(3)
                local age = tonumber((redis.call('HGET', KEYS[1], its) or ''):match('^%d+')) or 0
                if not isApart and age < tonumber(order:match('^%d+')) then redis.call('HDEL', KEYS[1], other, its) end
              end
            end
            if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZREM', KEYS[2], KEYS[1]) end
            return 1
            """
    )

    /// The number of keys kept and not expired. Keys: index.
    static let count = RedisScript(
        "#!lua flags=no-writes\n" + """
            local time = redis.call('TIME')
            local now = time[1] * 1000 + math.floor(time[2] / 1000)
            return redis.call('ZCOUNT', KEYS[1], '(' .. string.format('%.0f', now), '+inf')
            """
    )

    /// Brings the index up to date with what Redis has expired or evicted: the first hundred that are over, and twenty
    /// taken at random. Keys: index. Replies how many it took out.
    static let sweep = RedisScript(
        "#!lua flags=allow-oom\n" + clear + """
            local index = KEYS[1]
            clear(index)
            local time = redis.call('TIME')
            local now = time[1] * 1000 + math.floor(time[2] / 1000)
            local over = redis.call('ZRANGE', index, '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, 100)
            for _, entry in ipairs(redis.call('ZRANDMEMBER', index, 20)) do
              if redis.call('EXISTS', entry) == 0 then over[#over + 1] = entry end
            end
            if #over > 0 then redis.call('ZREM', index, unpack(over)) end
            return #over
            """
    )
}
