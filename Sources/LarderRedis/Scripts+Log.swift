import RedisClient

/// The scripts of the invalidation log.
///
/// The log is a sorted set, the list, and a table for each kind of scope (``ScopeTables``); `~n` and `!moved` tie them
/// together, so that a part that Redis evicted by itself is noticed (docs/invalidation.md, part of the log evicted;
/// rows L05 to L07 of `Model/log.py`). The members of the list are the scopes, by the version at which they were last
/// invalidated, and:
/// - `!floor`: everything with a lower read version is invalid; `!moved:…`: the highest version that was moved from the
///   list for scopes of a kind. They sort before all scopes;
/// - `~n`: the number of the last invalidation. It sorts behind all scopes;
/// - `~epoch1`, `~epoch2`: 2 × 52 random bits, the epoch of this log;
/// - `~cells`: 2^52 and the number of cells in a row of the paths' table;
/// - `~run:…`: the run ID of the server on which the log was begun. A server that comes back with another run ID may
///   have lost invalidations, so it gets another log, and everything stored before is invalid.
///
/// The keys of all scripts here: the list, and the tables in the order of ``ScopeKind/tables``.
extension Scripts {
    /// Returns a value for each kind as the fields of a Lua table.
    private static func byKind(_ value: (ScopeKind) -> String) -> String {
        ScopeKind.allCases.map { "\($0.rawValue) = \(value($0))" }.joined(separator: ", ")
    }

    /// The keys of the tables.
    private static let tableKeys = ScopeKind.tables.indices.map { "KEYS[\(2 + $0)]" }.joined(separator: ", ")

    /// The arguments of `ZADD` for a log from which no version was moved into a table.
    private static let nothingMoved = ScopeKind.allCases.map { "0, '\($0.movedMember)'" }.joined(separator: ", ")

    /// The bytes of one cell in each row.
    private static let rowBytes = ScopeTables.rows * ScopeTables.cellBits / 8

    /// The type of a cell.
    private static let cell = "u\(ScopeTables.cellBits)"

    /// The number of members that are not scopes and sort before them, and of those that sort behind them.
    private static let (before, behind) = (1 + ScopeKind.allCases.count, 5)

    /// The number of scores that give the state of the log.
    static let count = LogState.members.count

    /// The functions that read the state of the log. `logState(log)` returns the scores of ``LogState/members``, and
    /// `isWhole`, which is false if there is no log, or a part of one. `offsets(s, kind, member)` returns the cells of
    /// a scope.
    static let logState = """
        local kinds = {\(byKind { "\(1 + ($0.place))" })}
        local tables = {\(byKind { "\(1 + ($0.table.tablePlace))" })}
        local shares = {\(byKind { "\($0.table.share)" })}
        local function logState(log)
          local s = redis.call('ZMSCORE', log, \(LogState.members.map { "'\($0)'" }.joined(separator: ", ")))
          s.isWhole = true
          for i = 1, \(count) do s.isWhole = s.isWhole and s[i] ~= false end
          return s
        end
        local function width(s, kind)
          return math.max(1, math.floor((tonumber(s[\(count)]) - \(ScopeTables.sizeBase)) * shares[kind] / 16))
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

    /// The function `version(s, log, member, listed, read)`, which returns the version at which a scope was last
    /// invalidated, as far as it matters to a read version; `listed` is the score in the list. The log has to be whole.
    static let version = """
        local tableNames = {\(byKind { "'\($0.table.rawValue)'" })}
        local function version(s, log, member, listed, read)
          if listed then return tonumber(listed) end
          local kind = member:sub(1, 1)
          if not kinds[kind] then return 0 end
          local moved = tonumber(s[4 + kinds[kind]])
          if read >= moved then return 0 end
          local at = offsets(s, kind, member)
          local cells = redis.call('BITFIELD_RO', log .. ':' .. tableNames[kind], 'GET', 'u63', 0, 'GET', 'u63', 64,
            'GET', '\(cell)', at[1], 'GET', '\(cell)', at[2], 'GET', '\(cell)', at[3], 'GET', '\(cell)', at[4])
          -- Without its table the log is incomplete.
          if cells[1] ~= tonumber(s[1]) or cells[2] ~= tonumber(s[2]) then return math.huge end
          -- What another kind has in the same cells does not count.
          return math.min(moved, cells[3], cells[4], cells[5], cells[6])
        end

        """

    /// The function `begin(epoch1, epoch2, run, cells)`, which begins a log if there is none that can be used, with all
    /// its tables. Everything stored so far is invalid then.
    private static let begin =
        logState + """
            local log = KEYS[1]
            local function usable(run)
              if redis.call('TYPE', log).ok ~= 'zset' then return false end
              local s = logState(log)
              for i = 1, \(count) do
                if not (s[i] and s[i]:match('^%d+$') and tonumber(s[i]) < 9007199254740992) then return false end
              end
              -- The next version has to fit into a cell.
              if tonumber(s[3]) >= \(ScopeTables.lastVersion) then return false end
              if tonumber(s[\(count)]) <= \(ScopeTables.sizeBase) then return false end
              if run ~= '' and not redis.call('ZSCORE', log, '~run:' .. run) then return false end
              for kind, place in pairs(kinds) do
                if tonumber(s[4 + place]) > 0 then
                  local table = KEYS[1 + tables[kind]]
                  if redis.call('TYPE', table).ok ~= 'string' then return false end
                  local head = redis.call('BITFIELD_RO', table, 'GET', 'u63', 0, 'GET', 'u63', 64)
                  if head[1] ~= tonumber(s[1]) or head[2] ~= tonumber(s[2]) then return false end
                end
              end
              return true
            end
            local function begin(epoch1, epoch2, run, cells)
              if usable(run) then return end
              redis.call('UNLINK', log, \(tableKeys))
              redis.call('ZADD', log, 0, '!floor', \(nothingMoved), 0, '~n', epoch1, '~epoch1', epoch2, '~epoch2',
                \(ScopeTables.sizeBase) + cells, '~cells', 9007199254740991, '~run:' .. run)
            end

            """

    /// The script that begins a log unless there is one. Arguments: epoch (2), run, cells. The reply is what
    /// ``LogReading`` reads.
    static let open = RedisScript(
        "#!lua flags=allow-oom\n" + begin + """
            begin(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]))
            return logState(log)
            """
    )

    /// The script that writes the next version for scopes, and removes entries whose keys are known.
    ///
    /// Keys: the log's, entries…; arguments: epoch (2), run, cells, the largest number of scopes in the list, scopes….
    /// The reply is what ``LogReading`` reads.
    static let invalidate = RedisScript(
        "#!lua flags=allow-oom\n" + begin + """
            begin(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]))
            local s = logState(log)
            local n = redis.call('ZINCRBY', log, 1, '~n')

            -- Whatever was invalidated before everything was, says nothing more: no version in a table is above the
            -- floor. The tables stay: a look-up that read the list before this, and with it the old floor, has yet
            -- to read them (rows L08 and L11 of the model).
            local function invalidateEverything()
              redis.call('ZREMRANGEBYRANK', log, \(before), \(-1 - behind))
              redis.call('ZADD', log, n, '!floor')
            end

            local function isMade(place)
              for kind, other in pairs(tables) do
                if other == place and tonumber(s[4 + kinds[kind]]) > 0 then return true end
              end
              return false
            end

            -- The list has a version until its table has it: a table that Redis does not make raises an error, which
            -- ends the script (rows L09 and L12 of the model).
            local function move(member, version)
              local kind = member:sub(1, 1)
              if kinds[kind] then
                local table = KEYS[1 + tables[kind]]
                if not isMade(tables[kind]) then
                  redis.call('UNLINK', table)
                  redis.call('SETRANGE', table, \(ScopeTables.headerBits / 8 - 1) + \(rowBytes) * width(s, kind), '\\0')
                  redis.call('BITFIELD', table, 'SET', 'u63', 0, s[1], 'SET', 'u63', 64, s[2])
                end
                local at = offsets(s, kind, member)
                redis.call('BITFIELD', table, 'SET', '\(cell)', at[1], version, 'SET', '\(cell)', at[2], version,
                  'SET', '\(cell)', at[3], version, 'SET', '\(cell)', at[4], version)
                s[4 + kinds[kind]] = version
                redis.call('ZADD', log, version, '!moved:' .. kind)
              end
              redis.call('ZREM', log, member)
            end

            local isEverything = false
            for i = 6, #ARGV do isEverything = isEverything or ARGV[i] == '*' end
            if isEverything then
              invalidateEverything()
            else
              for i = 6, #ARGV do redis.call('ZADD', log, n, ARGV[i]) end
            end
            local excess = math.min(redis.call('ZCARD', log) - \(before + behind) - tonumber(ARGV[5]), 1000)
            if excess > 0 then
              local lowest = redis.call('ZRANGE', log, \(before), \(before - 1) + excess, 'WITHSCORES')
              for i = 1, #lowest, 2 do move(lowest[i], lowest[i + 1]) end
            end
            for i = \(2 + ScopeKind.tables.count), #KEYS do redis.call('UNLINK', KEYS[i]) end
            return logState(log)
            """
    )
}
