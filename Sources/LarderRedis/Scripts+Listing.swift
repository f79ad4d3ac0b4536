import RedisClient

/// The scripts that list entries, and make them stale.
extension Scripts {
    /// The script that describes the variants of entries that are neither expired nor invalidated. It reads no
    /// response, and limits its work like ``countValid``: an entry that the work does not suffice for is left for the
    /// next step, unless it is the first. Variants of the first that are left after ten times the work are not
    /// described.
    ///
    /// Keys: log, entries…; arguments: the time now (milliseconds), the most work. The reply has a list for each entry,
    /// for the first at least: for each variant its line in the list of variants, and its scopes.
    static let describe = RedisScript(
        validity + """
            local all = {}
            for i = 2, #KEYS do
              if work >= limit and i > 2 then break end
              local most = i == 2 and 10 * limit or limit
              local variants, high, low = list(KEYS[i])
              work = work + 1 + (variants and #variants or 0)
              local found = {}
              if variants and s.isWhole and tonumber(high) == epoch1 and tonumber(low) == epoch2 then
                for _, variant in ipairs(variants) do
                  local isValid, scopes = is_valid(KEYS[i], variant, most)
                  if isValid then
                    found[#found + 1] = variant.line
                    found[#found + 1] = scopes
                  end
                  if work > most then break end
                end
              end
              if work > most and i > 2 then break end
              all[#all + 1] = found
            end
            return all
            """
    )

    /// The script that replaces the value of a variant by one of the same size, if it still ends in a checksum. The
    /// list and the time to live stay. Keys: entry; arguments: field, checksum, value. The reply is 1 if it was
    /// replaced.
    static let replace = RedisScript(
        "#!lua flags=allow-oom\n" + """
            if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return 0 end
            local old = redis.call('HGET', KEYS[1], ARGV[1])
            if not old or #old ~= #ARGV[3] or old:sub(-#ARGV[2]) ~= ARGV[2] then return 0 end
            redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
            return 1
            """
    )
}
