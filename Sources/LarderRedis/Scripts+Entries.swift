import RedisClient

/// The scripts that read and write entries. An entry is a hash with the list of its variants (`m`, ``VariantList``),
/// and for each variant the response (`v:…`) and its scopes (`s:…`).
///
/// An entry has its time to live from the step that creates it. Only ``save`` may be refused when memory is full: Redis
/// refuses it before it begins, so that an entry is never written in part.
extension Scripts {
    /// The functions for lists of variants. `list(entry)` returns the variants of an entry, the newest first, and the
    /// epoch of the log in which all of them were read; nil if there is no entry, or none that can be read. `put(entry,
    /// high, low, variants)` writes the list, or removes the entry if the list is empty. `drop(entry, variant)` removes
    /// a variant, but not its line in the list.
    static let list = """
        local function list(entry)
          if redis.call('TYPE', entry).ok ~= 'hash' then return nil end
          local text = redis.call('HGET', entry, 'm') or ''
          local high, low, lines = text:match('^\(RedisNames.format) (%d+) (%d+)(.*)$')
          if not high then return nil end
          local variants = {}
          for line in lines:gmatch('\\n([^\\n]*)') do
            local field, number, until_, size = line:match('^(v:%S*) (%d+) (%d+) (%d+) [01] %S+$')
            if not field then return nil end
            variants[#variants + 1] = {field = field, number = tonumber(number), until_ = tonumber(until_),
              size = tonumber(size), line = line}
          end
          return variants, high, low
        end
        local function put(entry, high, low, variants)
          if #variants == 0 then redis.call('UNLINK', entry) return end
          local lines = {'\(RedisNames.format) ' .. high .. ' ' .. low}
          for i, variant in ipairs(variants) do lines[i + 1] = variant.line end
          redis.call('HSET', entry, 'm', table.concat(lines, '\\n'))
        end
        local function drop(entry, variant)
          redis.call('HDEL', entry, variant.field, 's' .. variant.field:sub(2))
        end
        -- The codings of a variant of a family; nil if it is of another one.
        local function codings_of(variant, family)
          if variant.field == family then return 0 end
          if variant.field:sub(1, #family + 1) == family .. '?' then
            return tonumber(variant.field:sub(#family + 2), 16)
          end
        end
        -- Whether a variant is replaced by one of this name.
        local function is_replaced(variant, family, codings)
          local theirs = codings_of(variant, family)
          if not theirs then return false end
          if codings < 0 then return variant.field == family end
          return bit.band(theirs, codings) == theirs
        end

        """

    /// The script that stores a variant, unless it was invalidated, in place of those it replaces: the one of its name,
    /// and those of its family whose codings are among its own. Variants that are expired, or were invalidated with all
    /// variants of the key, are removed as well. Beyond the largest number of variants, or the most bytes of all of
    /// them, the least recently used are evicted.
    ///
    /// Keys: entry, log. Arguments, in order:
    /// - the value; the variant's family; its codings (-1: none count); its time to live in milliseconds;
    /// - the largest number of variants;
    /// - the read version (epoch in two numbers, number);
    /// - the most bytes of all variants;
    /// - the time now, and the time until which the variant is stored, in milliseconds;
    /// - the fields that it varies by, in the form of the list;
    /// - the number of variants that were used, and their fields, the least recently used first;
    /// - the scopes.
    ///
    /// The reply is 1 if the variant is valid or 0 if it is not, and the state that ``LogReading`` reads.
    static let save = RedisScript(
        "#!lua\n" + logState + version + list + """
            local entry, log = KEYS[1], KEYS[2]
            local value, family, codings = ARGV[1], ARGV[2], tonumber(ARGV[3])
            local ttl, limit, room = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[9])
            local now, uses = tonumber(ARGV[10]), tonumber(ARGV[13])
            local first = 14 + uses
            local s, read = logState(log), tonumber(ARGV[8])
            -- It is unknown: the next look-up begins a log.
            if not s.isWhole then return {0, unpack(s, 1, \(count))} end
            local isValid = tonumber(s[1]) == tonumber(ARGV[6]) and tonumber(s[2]) == tonumber(ARGV[7])
            local newest = 0
            local function compare(score, member)
              local number = version(s, log, member, score, read)
              if read < number then isValid = false end
              if member:sub(1, 1) ~= 't' then newest = math.max(newest, number) end
            end
            compare(s[4], '!floor')
            -- Lua takes some thousand values from one `unpack`.
            for from = first, #ARGV, 1000 do
              local to = math.min(from + 999, #ARGV)
              local scores = redis.call('ZMSCORE', log, unpack(ARGV, from, to))
              for i = from, to do compare(scores[i - from + 1], ARGV[i]) end
            end
            local reply = {isValid and 1 or 0, unpack(s, 1, \(count))}
            if not isValid then return reply end

            local variants, high, low = list(entry)
            if ttl <= 0 or not variants then redis.call('UNLINK', entry) end
            if ttl <= 0 then return reply end
            local field = codings > 0 and string.format('%s?%x', family, codings) or family
            local bytes, used, valid = #value, {}, {}
            for i = 1, uses do used[ARGV[13 + i]] = i end
            for place, variant in ipairs(variants or {}) do
              local isUnusable = high ~= ARGV[6] or low ~= ARGV[7] or variant.number < newest or variant.until_ <= now
              if isUnusable or is_replaced(variant, family, codings) then
                if variant.field ~= field then drop(entry, variant) end
              else
                valid[#valid + 1] = variant
                variant.place, variant.use, bytes = place, used[variant.field] or 0, bytes + variant.size
              end
            end
            if #valid >= limit or bytes > room then
              local order = {}
              for i, variant in ipairs(valid) do order[i] = variant end
              table.sort(order, function(a, b)
                if a.use ~= b.use then return a.use < b.use end
                return a.place > b.place
              end)
              local left = #valid
              for _, variant in ipairs(order) do
                if left < limit and bytes <= room then break end
                drop(entry, variant)
                variant.isEvicted, left, bytes = true, left - 1, bytes - variant.size
              end
            end
            local line = string.format('%s %s %s %d %s', field, ARGV[8], ARGV[11], #value, ARGV[12])
            local left = {{line = line}}
            for _, variant in ipairs(valid) do
              if not variant.isEvicted then left[#left + 1] = variant end
            end
            put(entry, ARGV[6], ARGV[7], left)
            local scopes = table.concat(ARGV, '\\n', first, #ARGV)
            redis.call('HSET', entry, field, value, 's' .. field:sub(2), scopes)
            if #left == 1 or redis.call('PTTL', entry) < ttl then redis.call('PEXPIRE', entry, ttl) end
            if redis.call('HLEN', entry) ~= 1 + 2 * #left then
              -- Another program has written here.
              local known = {m = true, [field] = true, ['s' .. field:sub(2)] = true}
              for i = 2, #left do known[left[i].field], known['s' .. left[i].field:sub(2)] = true, true end
              for _, other in ipairs(redis.call('HKEYS', entry)) do
                if not known[other] then redis.call('HDEL', entry, other) end
              end
            end
            return reply
            """
    )

    /// The script that removes the variants that would be replaced by one that cannot be stored. Keys: entry;
    /// arguments: its family, its codings. The reply is the number of variants removed.
    static let supersede = RedisScript(
        "#!lua flags=allow-oom\n" + list + """
            local variants, high, low = list(KEYS[1])
            if not variants then return 0 end
            local left = {}
            for _, variant in ipairs(variants) do
              if is_replaced(variant, ARGV[1], tonumber(ARGV[2])) then
                drop(KEYS[1], variant)
              else
                left[#left + 1] = variant
              end
            end
            if #left < #variants then put(KEYS[1], high, low, left) end
            return #variants - #left
            """
    )

    /// The script that removes a variant if it is still the one meant, and older ones that may answer the same
    /// requests: all but those of its rule that were selected for other values. Keys: entry; arguments: field, read
    /// version (epoch 2, number), family, rule.
    static let discard = RedisScript(
        "#!lua flags=allow-oom\n" + list + """
            local entry, family, rule = KEYS[1], ARGV[5], ARGV[6]
            local variants, high, low = list(entry)
            if not variants or high ~= ARGV[2] or low ~= ARGV[3] then return 0 end
            local left, isFound = {}, false
            for _, variant in ipairs(variants) do
              local isMeant = variant.field == ARGV[1] and variant.number == tonumber(ARGV[4])
              local isApart = rule ~= '' and variant.field:sub(1, #rule) == rule and not codings_of(variant, family)
              if isMeant or isFound and not isApart then
                drop(entry, variant)
                isFound = true
              else
                left[#left + 1] = variant
              end
            end
            if not isFound then return 0 end
            put(entry, high, low, left)
            return 1
            """
    )

    /// The work that the script of a count charges for a scope whose version it reads from a table: four cells and a
    /// digest.
    private static let tableCost = 8

    /// The beginning of a script that compares entries with the log: the function `is_valid(entry, variant, most)`,
    /// which returns true for a variant that is neither expired nor invalidated, and its scopes as text. It counts the
    /// work in `work`, and gives up beyond `most`.
    ///
    /// Keys: log, entries…; the first two arguments are the time now (milliseconds) and the most work.
    static let validity =
        "#!lua flags=no-writes,allow-oom\n" + logState + version + list + """
            local log, now, limit = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
            local s = logState(log)
            local epoch1, epoch2, floor = tonumber(s[1]), tonumber(s[2]), tonumber(s[4])
            local work = 0
            local function is_valid(entry, variant, most)
              if variant.until_ <= now or variant.number < floor then return false end
              if redis.call('HSTRLEN', entry, variant.field) ~= variant.size then return false end
              local scopes, text = {}, redis.call('HGET', entry, 's' .. variant.field:sub(2)) or ''
              for scope in text:gmatch('[^\\n]+') do scopes[#scopes + 1] = scope end
              for from = 1, #scopes, 100 do
                local to = math.min(from + 99, #scopes)
                local scores = redis.call('ZMSCORE', log, unpack(scopes, from, to))
                for i, score in ipairs(scores) do
                  local scope = scopes[from + i - 1]
                  local kind = not score and kinds[scope:sub(1, 1)]
                  local isMoved = kind and variant.number < tonumber(s[4 + kind])
                  work = work + (isMoved and \(tableCost) or 1)
                  if version(s, log, scope, score, variant.number) > variant.number then return false end
                end
                if work > most then return false end
              end
              return #scopes > 0, text
            end

            """

    /// The script that counts the variants of entries that are neither expired nor invalidated. It reads no response,
    /// and stops after the work that one step may have: 1 for each entry, each variant in a list and each scope, and
    /// ``tableCost`` for each scope whose version is in a table.
    ///
    /// An entry that the work does not suffice for is left for the next step, unless it is the first. The first may
    /// take ten times as much; variants that are left by then are not counted.
    ///
    /// Keys: log, entries…; arguments: the time now (milliseconds), the most work, 1 if one variant of each entry is
    /// enough. The reply has a number for each entry, for the first at least.
    static let countValid = RedisScript(
        validity + """
            local isOneEnough, counts = ARGV[3] == '1', {}
            for i = 2, #KEYS do
              if work >= limit and i > 2 then break end
              local most = i == 2 and 10 * limit or limit
              local variants, high, low = list(KEYS[i])
              work = work + 1 + (variants and #variants or 0)
              local count = 0
              if variants and s.isWhole and tonumber(high) == epoch1 and tonumber(low) == epoch2 then
                for _, variant in ipairs(variants) do
                  if is_valid(KEYS[i], variant, most) then count = count + 1 end
                  if isOneEnough and count > 0 or work > most then break end
                end
              end
              if work > most and i > 2 then break end
              counts[#counts + 1] = count
            end
            return counts
            """
    )
}
