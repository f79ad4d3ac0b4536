/// Where a response lives and what can kill it, as far as the request alone tells: its key, its path, and the tags the
/// policy gives. The tags a handler adds are known only once it has answered.
public struct EntryLocation: Sendable {
    /// The key of the response.
    public let key: CacheKey
    /// The tags that the policy gives to every response of its routes.
    public let tags: [CacheTag]
    /// The request's target as it came, or in absolute form where hosts are told apart; the path is spelled out only
    /// where it is needed, which a hit does not.
    package let target: String

    /// An location.
    /// - Parameter target: the request's target, a path with or without a query.
    public init(key: CacheKey, target: String, tags: [CacheTag] = []) {
        self.key = key
        self.target = target
        self.tags = tags
    }

    /// The path that invalidations compare, in its literal reading.
    public var path: CachePath { CachePath(target: target) }

    /// Everything whose invalidation kills a response here: everything, its key, then what it shares with others.
    /// - Parameter late: the tags the handler added.
    public func scopes(with late: [CacheTag] = []) -> [InvalidationScope] {
        var scopes: [InvalidationScope] = [.everything, .key(key)]
        // Eight at most: a target with more readings has no key (`KeyPolicy`).
        let paths = PathReadings(target: target).paths
        scopes += paths.map(InvalidationScope.path)
        scopes += Self.prefixes(of: paths).map(InvalidationScope.prefix)
        if let authority = Self.authority(of: target) {
            scopes += paths.map { .path($0.on(authority)) }
            scopes.append(.prefix(CachePath.root.on(authority)))
        }
        scopes += tags.map(InvalidationScope.tag)
        scopes += late.map(InvalidationScope.tag)
        return scopes
    }

    private static func prefixes(of paths: [CachePath]) -> [CachePath] {
        guard paths.count > 1 else { return paths.first?.prefixes ?? [] }
        var seen: Set<CachePath> = []
        return paths.flatMap(\.prefixes).filter { seen.insert($0).inserted }
    }

    /// The authority of a target in absolute form; nil if it is in another form.
    private static func authority(of target: String) -> Substring? {
        let target = Substring(target).utf8
        guard target.first != UInt8(ascii: "/"), let rest = CachePath.afterScheme(target) else { return nil }
        return Substring(rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") })
    }
}
