import HTTPCaching

extension CacheKey {
    /// Creates the key of a cached value: `value:recommendations:42`.
    ///
    /// A value's key is `value:`, its name and its parts, separated by `:`, each percent-encoded, so that different
    /// texts never make the same key. The keys of routes begin with their method: no request has the key of a value.
    /// - Parameters:
    ///   - name: The name of the values of one kind, such as `recommendations`.
    ///   - parts: The texts that distinguish the values of one name, in order.
    public init(value name: String, parts: [any ValueKeyPart] = []) {
        self.init(
            legal: ([Self.group(ofValues: name)] + parts.map { Self.encoded($0.keyText) }).joined(separator: ":")
        )
    }

    /// Returns the beginning of the keys of all values with a name: `value:recommendations`.
    static func group(ofValues name: String) -> String { "value:" + encoded(name) }

    private static func encoded(_ part: String) -> String {
        var text: [UInt8] = []
        PercentEncoding.append(part, to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}

extension EntryLocation {
    /// Creates the location of a cached value. It has no path: only its key, its name, its tags and "everything"
    /// invalidate it.
    init(value name: String, parts: [any ValueKeyPart], tags: [CacheTag]) {
        self.init(key: CacheKey(value: name, parts: parts), target: CacheKey.group(ofValues: name), tags: tags)
    }

    /// True if a cached value is stored here, and not the response of a route.
    var isOfValue: Bool { CachePath(valuesIn: target) != nil }

    /// The tags of a response that is made from the cached value here, besides those of the value itself: one for the
    /// value's key, and one for its name.
    var dependentTags: [CacheTag] { [CacheTag(dependingOn: target), CacheTag(dependingOn: key.description)] + tags }
}

extension CacheTag {
    /// Creates the tag of the responses that are made from a value with this key, or from values with this name.
    fileprivate init(dependingOn text: String) { self.init("=", text) }

    /// True if a response has the tag because it is made from a value.
    var isOfDependents: Bool { description.utf8.starts(with: "=:".utf8) }
}

extension CacheKey {
    /// The scope of the responses that are made from the cached value with this key; nil if it is the key of a route.
    var dependents: InvalidationScope? {
        description.utf8.starts(with: "value:".utf8) ? .tag(CacheTag(dependingOn: description)) : nil
    }
}

extension CachePath {
    /// Creates the path that all values with the name in a location's target belong to: `value:recommendations`. It
    /// has no slash in front, so that no URL has it. Nil if the target is that of a request.
    init?(valuesIn target: String) {
        guard target.utf8.starts(with: "value:".utf8), !target.utf8.contains(UInt8(ascii: "/")) else { return nil }
        self.init(canonical: ShortenedText.of(target, limit: Self.maximumSegmentLength))
    }
}

extension InvalidationScope {
    /// Returns the scope of all cached values with a name, whatever their parts.
    public static func values(_ name: String) -> InvalidationScope {
        guard let path = CachePath(valuesIn: CacheKey.group(ofValues: name)) else {
            preconditionFailure("A group of values must have a path")
        }
        return .path(path)
    }
}

extension [InvalidationScope] {
    /// The scopes, with those of the responses that are made from the cached values among them.
    var withDependents: [InvalidationScope] {
        self
            + compactMap { scope in
                switch scope {
                case .key(let key): key.dependents
                case .path(let path) where path.description.utf8.starts(with: "value:".utf8):
                    .tag(CacheTag(dependingOn: path.description))
                case .path, .prefix, .tag, .everything: nil
                }
            }
    }
}
