/// The location of a response in the store, as far as the request decides it: its key, its path, and the tags of the
/// policy. The tags that a handler adds are known only with its response.
public struct EntryLocation: Sendable {
    /// The key of the response.
    public let key: CacheKey
    /// The tags that the policy gives to every response of its routes.
    public let tags: [CacheTag]
    /// The request's target as it came, or in absolute form if keys have a host; for a value the beginning of its key.
    /// The path is computed only when it is needed, which it is not for a hit.
    public let target: String

    /// Creates a location.
    /// - Parameters:
    ///   - key: The key of the response.
    ///   - target: The request's target, a path with or without a query.
    ///   - tags: The tags that the policy gives to every response of its routes.
    public init(key: CacheKey, target: String, tags: [CacheTag] = []) {
        self.key = key
        self.target = target
        self.tags = tags
    }

    /// The path that invalidations compare, in its literal reading.
    public var path: CachePath { CachePath(target: target) }

    /// Returns the scopes of a response at this location: everything, its key, then those that it shares with others.
    /// - Parameter late: The tags that the handler added.
    public func scopes(with late: [CacheTag] = []) -> [InvalidationScope] {
        var scopes: [InvalidationScope] = [.everything, .key(key)]
        if let path = CachePath(valuesIn: target) {
            scopes.append(.path(path))
            return scopes + (tags + late).map(InvalidationScope.tag)
        }
        // At most eight readings: a target with more has no key (`KeyPolicy`).
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

    /// Returns the authority of a target in absolute form; nil if the target is in another form.
    private static func authority(of target: String) -> Substring? {
        let target = Substring(target).utf8
        guard target.first != UInt8(ascii: "/"), let rest = CachePath.afterScheme(target) else { return nil }
        return Substring(rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") })
    }
}
