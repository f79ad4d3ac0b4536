import RedisClient

/// The state of Redis as far as it was logged. Each transition is logged once, however many requests notice it.
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

    private struct RefusedCommands {
        /// The commands that were refused with this code, of which none has been answered since.
        var commands: Set<String>
        var last: ContinuousClock.Instant
    }

    /// The time without another refusal after which a refusal counts as over: a server that is almost full refuses some
    /// commands and takes others.
    let quiet: Duration
    private var wasAvailable: Bool?
    /// The code with which Redis refuses the user, as it was logged; nil if Redis is available.
    private var accessRefusal: String?
    private var refusals: [String: RefusedCommands] = [:]

    init(quiet: Duration) { self.quiet = quiet }

    /// Records that Redis is available, or is not; returns nil if that is known already.
    /// - Parameter code: The code with which Redis refuses the user of the connection; nil if it does not.
    mutating func record(isAvailable: Bool, refusing code: String? = nil) -> Change? {
        let before = (wasAvailable: wasAvailable, refusal: accessRefusal)
        wasAvailable = isAvailable
        accessRefusal = isAvailable ? nil : code ?? before.refusal
        if isAvailable {
            guard let wasAvailable = before.wasAvailable else { return .connected }
            return wasAvailable ? nil : .restored
        }
        if code != nil, code != before.refusal { return .refused }
        return before.wasAvailable == false ? nil : .lost
    }

    /// Records that a command was refused; returns true if that is new.
    mutating func refused(_ code: String, _ command: RedisCommand, at now: ContinuousClock.Instant) -> Bool {
        let isNew = refusals[code] == nil
        // The server chooses the codes: they are few, but this process does not control them.
        guard !isNew || refusals.count < 16 else { return false }
        refusals[code, default: RefusedCommands(commands: [], last: now)].commands.insert(command.label)
        refusals[code]?.last = now
        return isNew
    }

    /// Records that a command was answered; returns the code of the refusal that is over with it, if one is.
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
    /// The name of what a command does: the command's own, or that of its script.
    fileprivate var label: String {
        for case .text(let word) in arguments.prefix(2) where word != "EVALSHA" { return word }
        return ""
    }
}
