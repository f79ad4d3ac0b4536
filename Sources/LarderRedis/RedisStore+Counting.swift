public import HTTPCaching
import Larder
import NIOConcurrencyHelpers
import RedisClient

/// The count of the keys that are stored. There is no index of them, which would have to be updated whenever Redis
/// evicts or expires an entry: a count walks through the keys of the server.
extension RedisStore {
    public func count(at now: Timestamp) async -> Int {
        guard delivery.isTrusted, case .integer(let total)? = await failsafe.ask([.dbsize])?.first else {
            return keyCount.withLockedValue { $0.last }
        }
        return await withCheckedContinuation { waiter in
            switch keyCount.withLockedValue({ $0.ask(of: Int(total), at: .now, waiter) }) {
            case .known(let number): waiter.resume(returning: number)
            case .wait: break
            case .walk:
                // The walk continues if the request does not, because other requests may wait for it.
                counting.start { waiter.resume(returning: await self.walk(Int(total), at: now)) }
            }
        }
    }

    /// Counts very many keys again, in small steps, if the last number is old.
    func countIfDue() async {
        guard case .integer(let total)? = await failsafe.ask([.dbsize])?.first,
            keyCount.withLockedValue({ $0.begin(of: Int(total), at: .now) })
        else { return }
        _ = await walk(Int(total), at: clock.now, pausing: .milliseconds(5))
    }

    /// Walks through the server's keys, and returns the number of keys with a stored response that is neither expired
    /// nor invalidated; the last known number if Redis stops answering. ``KeyCount`` decides when to walk, and permits
    /// one walk at a time.
    /// - Parameter pause: The pause between two pages.
    private func walk(_ total: Int, at now: Timestamp, pausing pause: Duration? = nil) async -> Int {
        var walk = KeyWalk(total: total)
        let page = RedisCommand.Argument.integer(pause == nil ? 500 : 1_000)
        while let cursor = walk.cursor {
            let scan = RedisCommand("SCAN", .text(cursor), "MATCH", .text(names.entryPattern), "COUNT", page)
            guard case .array(let reply)? = await askRepeatedly(scan), reply.count == 2,
                let next = try? reply[0].text(), let keys = try? reply[1].elements().map({ try $0.text() })
            else { break }
            var left = walk.visit(keys, next: next)[...]
            while !left.isEmpty {
                let step = left.prefix(KeyWalk.step)
                guard let counts = await validCounts(Array(step), at: now, isOneEnough: true, asksAgain: true) else {
                    break
                }
                walk.look(at: counts.count, valid: counts.count { $0 > 0 })
                left = left.dropFirst(counts.count)
            }
            guard left.isEmpty else { break }
            if let pause { do { try await clock.sleep(for: pause) } catch { break } }
        }
        let (number, waiters) = keyCount.withLockedValue { known in
            let waiters = known.end(walk, at: .now)
            return (known.last, waiters)
        }
        for waiter in waiters { waiter.resume(returning: number) }
        return number
    }

    /// Returns the number of variants of each entry that are neither expired nor invalidated, for the first entries at
    /// least; nil if Redis does not reply with it.
    /// - Parameter asksAgain: True to ask again if a reply is late.
    private func validCounts(
        _ entries: [String],
        at now: Timestamp,
        isOneEnough: Bool,
        asksAgain: Bool
    ) async -> [Int64]? {
        let arguments: [RedisCommand.Argument] = [
            .integer(now.millisecondsSinceEpoch), .integer(isOneEnough ? Self.workPerStep : Self.workPerKey),
            .integer(isOneEnough ? 1 : 0),
        ]
        let command = RedisCommand.run(Scripts.countValid, keys: [names.log] + entries, arguments: arguments)
        let reply = asksAgain ? await askRepeatedly(command) : await failsafe.ask([command])?.first
        guard case .array(let values)? = reply,
            (1...entries.count).contains(values.count)
        else { return nil }
        return try? values.map { try $0.integer() }
    }

    /// Sends one step of a walk through the keys, up to three times if its reply is late: one late step of a hundred
    /// should not lose the count.
    func askRepeatedly(_ command: RedisCommand) async -> RESPValue? {
        for _ in 0..<3 {
            if let reply = await failsafe.ask([command])?.first { return reply }
        }
        return nil
    }

    /// The most work of one step of a count, in the unit of its script: about a millisecond of Redis.
    static var workPerStep: Int64 { 2_000 }
    /// The most work of counting the variants of one key, in the same unit. The script may do ten times as much: 64
    /// variants with 1,000 tags each.
    static var workPerKey: Int64 { 10_000 }

    /// Returns the number of variants under a key that are neither expired nor invalidated; nil if Redis does not reply
    /// with it.
    func validCount(under key: CacheKey, at now: Timestamp) async -> Int? {
        guard let name = names.entry(key) else { return 0 }
        return await validCounts([name], at: now, isOneEnough: false, asksAgain: false)?.first.map { Int(clamping: $0) }
    }
}
