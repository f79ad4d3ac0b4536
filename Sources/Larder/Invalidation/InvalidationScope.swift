/// The responses that an invalidation makes invalid.
public enum InvalidationScope: Hashable, Sendable {
    /// The response under this key, in every spelling of its URL that means the same, with all its Vary variants.
    ///
    /// A key that was shortened (``CacheKey/maximumLength``) ends in the digest of the URL as it was spelled, so it
    /// stands for that spelling alone: invalidate the path to invalidate such a response in every spelling.
    case key(CacheKey)
    /// Every response for this path, whatever its query, user or fields.
    case path(CachePath)
    /// Every response for this path and the paths below it, by whole segments, up to 16 segments.
    case prefix(CachePath)
    /// Every response with this tag.
    case tag(CacheTag)
    /// Every response.
    case everything
}

extension InvalidationScope {
    /// Returns the scopes of the responses for a path as it is spelled in a URL, in every reading that servers may have
    /// of it.
    package static func paths(_ text: String) -> [InvalidationScope] {
        PathReadings(target: text).paths.map(InvalidationScope.path)
    }

    /// Returns the scopes of the responses for a path on one host, `shop.example/api/posts`, in every reading that
    /// servers may have of it, whatever the scheme; nil unless a host and a path are given.
    package static func paths(ofHost text: some StringProtocol) -> [InvalidationScope]? {
        let host = text.prefix { $0 != "/" && $0 != "?" }
        let target = text[host.endIndex...]
        guard target.hasPrefix("/"), let authority = authority(host) else { return nil }
        return PathReadings(target: String(target)).paths.map { .path($0.on(authority)) }
    }

    /// Returns the scope of all responses of one host; nil for anything but a host.
    package static func host(_ text: some StringProtocol) -> InvalidationScope? {
        let host = text.hasSuffix("/") ? text.dropLast() : text[...]
        return authority(host).map { .prefix(CachePath.root.on($0)) }
    }

    private static func authority(_ host: some StringProtocol) -> String? {
        // Keys of that scheme omit its standard port, so that both spellings are the same host.
        URIOrigin(scheme: host.hasSuffix(":443") ? "https" : "http", authority: String(host))?.authority
    }

    /// Returns the scopes of the responses for a path as it is spelled in a URL and for the paths below it, in every
    /// reading that servers may have of it.
    package static func prefixes(_ text: String) -> [InvalidationScope] {
        PathReadings(target: text).paths.map(InvalidationScope.prefix)
    }
}

extension InvalidationScope {
    /// The text that stands for the scope in a log outside of this process.
    ///
    /// An invalidation concerns an entry if and only if their scopes have a text in common: all spellings of a key have
    /// the same one, and so have a prefix that is deeper than entries distinguish and the prefix above it.
    public var canonicalText: String {
        let (kind, text) = kindAndText
        return text.isEmpty ? kind : kind + ":" + text
    }

    /// The kind of the scope, and the text that distinguishes it from the others of its kind.
    private var kindAndText: (kind: String, text: String) {
        switch self {
        case .key(let key): ("key", key.normalized)
        case .path(let path): ("path", path.description)
        // Entries do not have deeper prefixes: the prefix above includes all of them, and more.
        case .prefix(let path): ("prefix", path.asPrefix.description)
        case .tag(let tag): ("tag", tag.description)
        case .everything: ("everything", "")
        }
    }
}

extension InvalidationScope {
    /// A 32-bit hash that stands for a scope inside one process.
    ///
    /// Entries hold these instead of text, and the log compares them. Two scopes with the same hash are invalidated
    /// together, which costs a miss and never serves a stale response. The last two bits are the kind of the scope. The
    /// other bits of a path and of the prefix with the same text are equal, so that one follows from the other, and
    /// those of a key are those of ``CacheKey/hash``.
    package struct Fingerprint: Hashable, Sendable {
        enum Kind: UInt32 {
            case other, path, prefix, key
        }

        let value: UInt32

        init(value: UInt32) { self.value = value }

        init(_ kind: Kind, hash: Int) { value = UInt32(truncatingIfNeeded: hash) & ~3 | kind.rawValue }

        var kind: Kind { Kind(rawValue: value & 3) ?? .other }

        /// The fingerprint of the path of a prefix, and of the prefix of a path.
        var ofOtherKind: Fingerprint {
            Fingerprint(value: value ^ Kind.path.rawValue ^ Kind.prefix.rawValue)
        }

        package func hash(into hasher: inout Hasher) { hasher.combine(value) }
    }

    package var fingerprint: Fingerprint {
        let (kind, text) = kindAndText
        switch self {
        case .key: return Fingerprint(.key, hash: text.hashValue)
        case .path: return Fingerprint(.path, hash: text.hashValue)
        case .prefix: return Fingerprint(.prefix, hash: text.hashValue)
        case .tag, .everything:
            var hasher = Hasher()
            hasher.combine(kind)
            hasher.combine(text)
            return Fingerprint(.other, hash: hasher.finalize())
        }
    }
}
