import RedisClient

/// The state of Redis according to the log, so that each transition is logged once, however many requests notice it.
///
/// A value without a clock or a lock.
struct RedisTransitions {
    /// A change in the availability of Redis.
    enum Change: Hashable {
        /// Redis is available for the first time.
        case connected
        /// Redis is no longer available.
        case lost
        /// Redis is not available, because it refuses the user of the connection.
        case refused
        /// Redis is available again.
        case restored
    }

    /// The commands that Redis refuses with one code.
    private struct RefusedCommands {
        /// The commands that have not been answered since they were refused.
        var commands: Set<String>
        /// The time of the last refusal.
        var last: ContinuousClock.Instant
    }

    /// The time without another refusal after which a refusal counts as over: a server that is almost full refuses some
    /// commands and takes others.
    let quiet: Duration
    /// True if Redis was available when its availability was last recorded; nil if it has not been recorded.
    private var wasAvailable: Bool?
    /// The code with which Redis refuses the user, as it was logged; nil if it does not, or if Redis is available.
    private var loggedCode: String?
    /// The refused commands, by the code of the refusal.
    private var refusals: [String: RefusedCommands] = [:]

    init(quiet: Duration) { self.quiet = quiet }

    /// Records the availability of Redis, and returns the change to log; nil if it was logged already.
    /// - Parameter code: The code with which Redis refuses the user of the connection; nil if it does not.
    mutating func record(isAvailable: Bool, refusing code: String? = nil) -> Change? {
        let before = (wasAvailable: wasAvailable, code: loggedCode)
        wasAvailable = isAvailable
        loggedCode = isAvailable ? nil : code ?? before.code
        if isAvailable {
            guard let wasAvailable = before.wasAvailable else { return .connected }
            return wasAvailable ? nil : .restored
        }
        if code != nil, code != before.code { return .refused }
        return before.wasAvailable == false ? nil : .lost
    }

    /// Records that a command was refused with a code; returns true if the code is new, so that it is to be logged.
    mutating func refused(_ code: String, _ command: RedisCommand, at now: ContinuousClock.Instant) -> Bool {
        let isNew = refusals[code] == nil
        // The server chooses the codes, so their number is limited here.
        guard !isNew || refusals.count < 16 else { return false }
        refusals[code, default: RefusedCommands(commands: [], last: now)].commands.insert(command.label)
        refusals[code]?.last = now
        return isNew
    }

    /// Records that a command was answered; returns the code of a refusal that ends with it, or nil if none does.
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

    /// Forgets all refusals, because the server was restarted or is another one.
    mutating func forgetRefusals() {
        refusals = [:]
    }
}

extension RedisCommand {
    /// The name of the command, or the digest of the script that it runs.
    fileprivate var label: String {
        for case .text(let word) in arguments.prefix(2) where word != "EVALSHA" { return word }
        return ""
    }
}
