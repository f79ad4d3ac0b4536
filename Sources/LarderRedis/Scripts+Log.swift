import RedisClient

/// The scripts of the invalidation log.
///
/// The log is a sorted set, the list, and a table for each kind of scope (``ScopeTables``); `~n` and `!moved` tie them
/// together, so that a part that Redis evicted by itself is noticed (PROTOCOL, A23; rows L05 to L07 of its model). The
/// members of the list are the scopes, by the number at which they were last invalidated, and:
/// - `!floor`: everything with a lower read version is invalid; `!moved:…`: the highest version that was moved into the
///   table of a kind. They sort before all scopes;
/// - `~n`: the number of the last invalidation. It sorts behind all scopes;
/// - `~epoch1`, `~epoch2`: 2 × 52 random bits that name this log's life;
/// - `~cells`: 2^52 and the number of cells in a row of the paths' table;
/// - `~run:…`: the life of the server in which the log was begun. A server that comes back in another life may have
///   lost invalidations, so it gets another log, and everything stored before is invalid.
///
/// The keys of all scripts here: the list, and the tables in the order of ``ScopeKind``.
extension Scripts {
    /// Returns a value for each kind as the fields of a Lua table.
    private static func byKind(_ value: (ScopeKind) -> String) -> String {
        ScopeKind.allCases.map { "\($0.rawValue) = \(value($0))" }.joined(separator: ", ")
    }

    /// The arguments of `ZADD` by which no version was moved into a table.
    private static let nothingMoved = ScopeKind.allCases.map { "0, '\($0.movedMember)'" }.joined(separator: ", ")

    /// The members that are not scopes: five sort before them, five behind.
    ///
    /// `standing(log)`: the scores of ``LogStanding/members``. `offsets(s, kind, member)`: the cells of a scope.
    static let standing = """
        local kinds = {\(byKind { "\(1 + ($0.place))" })}
        local shares = {\(byKind { "\($0.share)" })}
        local function standing(log)
          return redis.call('ZMSCORE', log, \(LogStanding.members.map { "'\($0)'" }.joined(separator: ", ")))
        end
        local function width(s, kind)
          return math.max(1, math.floor((tonumber(s[9]) - \(ScopeTables.sizeBase)) * shares[kind] / 16))
        end
        local function offsets(s, kind, member)
          local count = width(s, kind)
          local digest = redis.sha1hex(s[1] .. ' ' .. s[2] .. ' ' .. member)
          local found = {}
          for row = 0, 3 do
            local place = tonumber(digest:sub(row * 8 + 1, row * 8 + 8), 16) % count
            found[row + 1] = \(ScopeTables.headerBits) + \(ScopeTables.cellBits) * (row * count + place)
          end
          return found
        end

        """

    /// `version(s, log, member, listed, read)`: the number at which a scope was last invalidated, as far as it matters
    /// to a read version; `listed` is what the list says.
    static let version = """
        local function version(s, log, member, listed, read)
          if listed then return tonumber(listed) end
          local kind = member:sub(1, 1)
          if not kinds[kind] or read >= tonumber(s[4 + kinds[kind]]) then return 0 end
          local at = offsets(s, kind, member)
          local cells = redis.call('BITFIELD_RO', log .. ':' .. kind, 'GET', 'u63', 0, 'GET', 'u63', 64,
            'GET', 'u40', at[1], 'GET', 'u40', at[2], 'GET', 'u40', at[3], 'GET', 'u40', at[4])
          -- Without its table the log does not tell.
          if cells[1] ~= tonumber(s[1]) or cells[2] ~= tonumber(s[2]) then return math.huge end
          return math.min(cells[3], cells[4], cells[5], cells[6])
        end

        """

    /// `begin(epoch1, epoch2, run, cells)`: begins a log if there is none that can be used, with all its tables.
    /// Everything stored so far is invalid then.
    private static let begin =
        standing + """
            local log = KEYS[1]
            local function usable(run)
              if redis.call('TYPE', log).ok ~= 'zset' then return false end
              local s = standing(log)
              for i = 1, 9 do
                if not (s[i] and s[i]:match('^%d+$') and tonumber(s[i]) < 9007199254740992) then return false end
              end
              -- A cell has 40 bits.
              if tonumber(s[3]) >= 1099511627775 or tonumber(s[9]) <= \(ScopeTables.sizeBase) then return false end
              if run ~= '' and not redis.call('ZSCORE', log, '~run:' .. run) then return false end
              for kind, place in pairs(kinds) do
                if tonumber(s[4 + place]) > 0 then
                  local table = KEYS[1 + place]
                  if redis.call('TYPE', table).ok ~= 'string' then return false end
                  local head = redis.call('BITFIELD_RO', table, 'GET', 'u63', 0, 'GET', 'u63', 64)
                  if head[1] ~= tonumber(s[1]) or head[2] ~= tonumber(s[2]) then return false end
                end
              end
              return true
            end
            local function begin(epoch1, epoch2, run, cells)
              if usable(run) then return end
              redis.call('UNLINK', log, KEYS[2], KEYS[3], KEYS[4], KEYS[5])
              redis.call('ZADD', log, 0, '!floor', \(nothingMoved), 0, '~n', epoch1, '~epoch1', epoch2, '~epoch2',
                \(ScopeTables.sizeBase) + cells, '~cells', 9007199254740991, '~run:' .. run)
            end

            """

    /// Makes sure of a log. Arguments: epoch (2), run, cells. Replies as ``LedgerReading`` reads.
    static let open = RedisScript(
        "#!lua flags=allow-oom\n" + begin + """
            begin(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]))
            return standing(log)
            """
    )

    /// Writes the next number for scopes, and removes entries whose keys are known.
    ///
    /// Keys: the log's, entries…; arguments: epoch (2), run, cells, the most scopes in the list, scopes…. Replies as
    /// ``LedgerReading`` reads.
    static let invalidate = RedisScript(
        "#!lua flags=allow-oom\n" + begin + """
            begin(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]))
            local s = standing(log)
            local n = redis.call('ZINCRBY', log, 1, '~n')

            -- Whatever was invalidated before everything was, says nothing more.
            local function invalidateEverything()
              redis.call('ZREMRANGEBYRANK', log, 5, -6)
              redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
              redis.call('ZADD', log, n, '!floor', \(nothingMoved))
            end

            local function move(member, version)
              local kind = member:sub(1, 1)
              redis.call('ZREM', log, member)
              if not kinds[kind] then return end
              local table = KEYS[1 + kinds[kind]]
              if tonumber(s[4 + kinds[kind]]) == 0 then
                redis.call('UNLINK', table)
                redis.call('SETRANGE', table, 15 + 4 * 5 * width(s, kind), '\\0')
                redis.call('BITFIELD', table, 'SET', 'u63', 0, s[1], 'SET', 'u63', 64, s[2])
              end
              local at = offsets(s, kind, member)
              redis.call('BITFIELD', table, 'SET', 'u40', at[1], version, 'SET', 'u40', at[2], version,
                'SET', 'u40', at[3], version, 'SET', 'u40', at[4], version)
              s[4 + kinds[kind]] = version
              redis.call('ZADD', log, version, '!moved:' .. kind)
            end

            local isEverything = false
            for i = 6, #ARGV do isEverything = isEverything or ARGV[i] == '*' end
            if isEverything then
              invalidateEverything()
            else
              for i = 6, #ARGV do redis.call('ZADD', log, n, ARGV[i]) end
            end
            local excess = math.min(redis.call('ZCARD', log) - 10 - tonumber(ARGV[5]), 1000)
            if excess > 0 then
              local lowest = redis.call('ZRANGE', log, 5, 4 + excess, 'WITHSCORES')
              for i = 1, #lowest, 2 do move(lowest[i], lowest[i + 1]) end
            end
            for i = 6, #KEYS do redis.call('UNLINK', KEYS[i]) end
            return standing(log)
            """
    )
}
