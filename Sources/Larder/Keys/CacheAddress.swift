/// Where a response lives and what can kill it, as far as the request alone tells: its key, its path, and the tags the
/// policy gives. The tags a handler adds are known only once it has answered.
public struct CacheAddress: Sendable {
    /// The key of the response.
    public let key: CacheKey
    /// The tags that the policy gives to every response of its routes.
    public let tags: [CacheTag]
    /// The request's target as it came, or in absolute form where hosts are told apart; the path is spelled out only
    /// where it is needed, which a hit does not.
    package let target: String

    /// An address.
    /// - Parameter target: the request's target, a path with or without a query.
    public init(key: CacheKey, target: String, tags: [CacheTag] = []) {
        self.key = key
        self.target = target
        self.tags = tags
    }

    /// The path that invalidations compare.
    public var path: CachePath { CachePath(target: target) }

    /// Everything whose invalidation kills a response here: everything, its key, then what it shares with others.
    /// - Parameter late: the tags the handler added.
    public func covers(with late: [CacheTag] = []) -> [Cover] {
        let path = path
        var covers: [Cover] = [.everything, .key(key), .path(path)]
        if let hosted = CachePath(hostedTarget: target) { covers.append(.path(hosted)) }
        covers += path.prefixes.map(Cover.prefix)
        covers += tags.map(Cover.tag)
        covers += late.map(Cover.tag)
        return covers
    }
}

extension CachePath {
    /// The path of a request's target: what stands before the query, and after the authority where the target has one
    /// (absolute form, RFC 9112 §3.2.2).
    init(target: String) {
        let path = target.prefix { $0 != "?" && $0 != "#" }
        guard path.utf8.first != UInt8(ascii: "/"), let scheme = path.firstRange(of: "://") else {
            self.init(bytes: path.utf8)
            return
        }
        self.init(bytes: path[scheme.upperBound...].utf8.drop { $0 != UInt8(ascii: "/") })
    }
}
