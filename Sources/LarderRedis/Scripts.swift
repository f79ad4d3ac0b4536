import RedisClient

/// The scripts that Redis runs for a store, each one atomic and short: none walks what it does not name.
///
/// The ledger is one sorted set, since parts that Redis could evict one by one would let an old answer come back
/// (PROTOCOL, A23). Its members are the covers, by the number at which they were last invalidated, and:
/// - `!floor`: everything born before its number is dead. It sorts before all covers;
/// - `~n`: the number of the last invalidation. It sorts behind all covers;
/// - `~epoch1`, `~epoch2`: 2 × 52 random bits that name this ledger's life;
/// - `~run:…`: the life of the server in which the ledger was begun. A server that comes back in another life may have
///   lost invalidations, so it gets another ledger, and everything kept before is dead.
///
/// What must work when memory is full says so (`allow-oom`); Redis 7 is the first that understands it.
enum Scripts {
    /// `begin(ledger, epoch1, epoch2, run)`: begins a ledger where there is none that can be used. Everything
    /// kept so far is dead then.
    private static let begin = """
        local function begin(ledger, epoch1, epoch2, run)
          local isLedger = redis.call('TYPE', ledger).ok == 'zset'
          local parts = isLedger and redis.call('ZMSCORE', ledger, '~epoch1', '~epoch2', '~n', '!floor') or {}
          for _, part in ipairs(parts) do
            isLedger = isLedger and part and part:match('^%d+$') and tonumber(part) < 9007199254740992
          end
          if isLedger and run ~= '' and not redis.call('ZSCORE', ledger, '~run:' .. run) then isLedger = false end
          if not isLedger then
            redis.call('UNLINK', ledger)
            redis.call('ZADD', ledger, 0, '!floor', 0, '~n', epoch1, '~epoch1', epoch2, '~epoch2',
              9007199254740991, '~run:' .. run)
          end
        end
        local function standing(ledger)
          local s = redis.call('ZMSCORE', ledger, '~epoch1', '~epoch2', '~n', '!floor')
          return {s[1], s[2], s[3], s[4]}
        end

        """

    /// Makes sure of a ledger. Keys: ledger; arguments: epoch (2), run. Replies as ``LedgerReading`` reads.
    static let open = RedisScript(
        "#!lua flags=allow-oom\n" + begin + """
            begin(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
            return standing(KEYS[1])
            """
    )

    /// Stamps covers with the next number, and lets go of entries whose keys are known.
    ///
    /// Keys: ledger, entries…; arguments: epoch (2), run, the most stamps to remember, covers…. Replies as
    /// ``LedgerReading`` reads.
    static let invalidate = RedisScript(
        "#!lua flags=allow-oom\n" + begin + """
            local ledger = KEYS[1]
            begin(ledger, ARGV[1], ARGV[2], ARGV[3])
            local n = redis.call('ZINCRBY', ledger, 1, '~n')
            for i = 5, #ARGV do
              redis.call('ZADD', ledger, n, ARGV[i])
            end
            for _ = 1, redis.call('ZCARD', ledger) - 5 - tonumber(ARGV[4]) do
              local lowest = redis.call('ZRANGE', ledger, 1, 1, 'WITHSCORES')
              redis.call('ZREM', ledger, lowest[1])
              redis.call('ZADD', ledger, lowest[2], '!floor')
            end
            for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
            return standing(ledger)
            """
    )
}
