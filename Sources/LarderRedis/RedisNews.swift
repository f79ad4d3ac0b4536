import RedisClient

/// What the log was told of Redis, so that it is told once when something begins and once when it ends, however many
/// requests meet it.
///
/// A value without clock or lock.
struct RedisNews {
    /// What is new about whether Redis is there.
    enum Item: Hashable {
        /// It is there for the first time.
        case come
        case gone
        case back
    }

    private struct RefusedCommands {
        /// The commands that were refused so, of which none has been answered since.
        var commands: Set<String>
        var last: ContinuousClock.Instant
    }

    /// How long a refusal has to be the last one before it counts as over: a server that is just full refuses now and
    /// then.
    let quiet: Duration
    private var isThere: Bool?
    private var refusals: [String: RefusedCommands] = [:]

    init(quiet: Duration) { self.quiet = quiet }

    /// Redis is there, or is not; nil where that is known.
    mutating func redis(isThere: Bool) -> Item? {
        guard isThere != self.isThere else { return nil }
        defer { self.isThere = isThere }
        return isThere ? (self.isThere == nil ? .come : .back) : .gone
    }

    /// A command was refused; whether that is news.
    mutating func refused(_ code: String, _ command: RedisCommand, at now: ContinuousClock.Instant) -> Bool {
        let isNew = refusals[code] == nil
        // The codes are the server's: a handful, but not by our doing.
        guard !isNew || refusals.count < 16 else { return false }
        refusals[code, default: RefusedCommands(commands: [], last: now)].commands.insert(command.label)
        refusals[code]?.last = now
        return isNew
    }

    /// A command was answered; the code of the refusal that is over by that, if one is.
    mutating func answered(_ command: RedisCommand, at now: ContinuousClock.Instant) -> String? {
        guard !refusals.isEmpty else { return nil }
        let label = command.label
        for (code, refusal) in refusals where refusal.commands.contains(label) && refusal.last + quiet <= now {
            refusals[code]?.commands.remove(label)
            guard refusal.commands.count == 1 else { continue }
            refusals[code] = nil
            return code
        }
        return nil
    }

    /// Another life of the server begins, or another server.
    mutating func forgetRefusals() {
        refusals = [:]
    }
}

extension RedisCommand {
    /// The name of what a command does: its own, or its script's.
    fileprivate var label: String {
        for case .text(let word) in arguments.prefix(2) where word != "EVALSHA" { return word }
        return ""
    }
}
