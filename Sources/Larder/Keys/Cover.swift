/// What an invalidation covers: the responses that are dead after it.
public enum Cover: Hashable, Sendable {
    /// The response under exactly this key, with all its Vary variants.
    case key(CacheKey)
    /// Every response for this path, whatever the query, the user or the fields.
    case path(CachePath)
    /// Every response for this path and the paths below it, by whole segments, to 16 segments.
    case prefix(CachePath)
    /// Every response with this tag.
    case tag(CacheTag)
    /// Everything.
    case everything
}

extension Cover {
    /// Returns what covers the responses for a path as it stands in a URL, in every reading that servers may have of
    /// it.
    package static func paths(_ text: String) -> [Cover] {
        switch PathReadings(target: text) {
        case .paths(let paths): paths.map(Cover.path)
        case .below(let path): [.prefix(path)]
        }
    }

    /// Returns what covers the responses for a path as it stands in a URL and for the paths below it, in every reading
    /// that servers may have of it.
    package static func prefixes(_ text: String) -> [Cover] {
        switch PathReadings(target: text) {
        case .paths(let paths): paths.map(Cover.prefix)
        case .below(let path): [.prefix(path)]
        }
    }
}

extension Cover {
    /// A 64-bit hash that stands for a cover inside one process.
    ///
    /// Entries hold and the ledger compares these instead of text: two covers that fell together would be invalidated
    /// together, which costs a miss and never a stale answer.
    package struct Fingerprint: Hashable, Sendable {
        let value: Int

        package func hash(into hasher: inout Hasher) { hasher.combine(value) }
    }

    package var fingerprint: Fingerprint {
        switch self {
        case .key(let key): Self.fingerprint(1, key.description)
        case .path(let path): Self.fingerprint(2, path.description)
        // No entry knows of deeper prefixes: what is above covers more, and forgets nothing.
        case .prefix(let path): Self.fingerprint(3, path.asPrefix.description)
        case .tag(let tag): Self.fingerprint(4, tag.description)
        case .everything: Self.fingerprint(5, "")
        }
    }

    private static func fingerprint(_ kind: UInt8, _ text: String) -> Fingerprint {
        var hasher = Hasher()
        hasher.combine(kind)
        hasher.combine(text)
        return Fingerprint(value: hasher.finalize())
    }
}
