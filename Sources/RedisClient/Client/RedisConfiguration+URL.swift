extension RedisConfiguration {
    /// Creates a configuration from the URL of a server:
    ///
    ///     redis://[[user]:password@]host[:port][/database]
    ///     rediss://…                                          the same over TLS
    ///     unix://[[user]:password@]/path/to/socket[?db=1]     also redis+unix
    ///
    /// User and password are percent-decoded. Anything that is not understood is an error: an ignored option would be
    /// noticed only later. Errors do not repeat the URL, since there may be a password in it.
    package init(url: String) throws(RedisError) {
        var rest = url[...]
        let scheme = try rest.cut(before: "://").orThrow("it has no scheme: expected redis://, rediss:// or unix://")
        guard !rest.contains("#") else { throw .invalidURL("it has a fragment (#), which has no meaning here") }
        let query = rest.cut(after: "?")
        let path = rest.cut(after: "/")
        let credentials = try Credentials(cuttingFrom: &rest)
        switch scheme.lowercased() {
        case "redis", "rediss":
            self.init(
                endpoint: try Endpoint(authority: rest),
                credentials: credentials,
                database: try Self.database(path: path ?? "", query: query),
                tls: scheme.lowercased() == "rediss" ? TLS() : nil
            )
        case "unix", "redis+unix":
            guard rest.isEmpty, let path, !path.isEmpty else {
                throw .invalidURL("the path of the socket is not absolute: expected unix:///path/to/socket")
            }
            self.init(
                endpoint: .unixSocket(path: "/" + (try path.percentDecoded())),
                credentials: credentials,
                database: try Self.database(path: "", query: query)
            )
        default:
            throw .invalidURL("its scheme is not redis, rediss, unix or redis+unix")
        }
    }

    private static func database(path: Substring, query: Substring?) throws(RedisError) -> Int {
        guard let query else { return try database(path) }
        guard path.isEmpty else { throw .invalidURL("the database is given twice") }
        guard query.hasPrefix("db=") else { throw .invalidURL("the only option after ? is db=<number>") }
        return try database(query.dropFirst(3))
    }

    private static func database(_ text: Substring) throws(RedisError) -> Int {
        if text.isEmpty { return 0 }
        guard text.utf8.allSatisfy(\.isDigit), let database = Int(text) else {
            throw .invalidURL("the database is not a number")
        }
        return database
    }
}

extension RedisConfiguration.Credentials {
    /// Creates credentials from `user:password@` or `:password@` at the front, and removes it; nil if there is none.
    fileprivate init?(cuttingFrom authority: inout Substring) throws(RedisError) {
        // The last @ counts, so that a password may contain one.
        guard let at = authority.lastIndex(of: "@") else { return nil }
        var user = authority[..<at]
        authority = authority[authority.index(after: at)...]
        guard let password = user.cut(after: ":") else {
            throw .invalidURL("a user without a password: expected user:password@ or :password@")
        }
        self.init(user: user.isEmpty ? "default" : try user.percentDecoded(), password: try password.percentDecoded())
    }
}

extension RedisConfiguration.Endpoint {
    /// Creates an endpoint from `host`, `host:port` or `[address]:port`. The default port is 6379.
    fileprivate init(authority: Substring) throws(RedisError) {
        var rest = authority
        var host: Substring
        if rest.hasPrefix("[") {
            host = try rest.dropFirst().prefixBefore("]").orThrow("an IPv6 address has no closing bracket")
            rest = rest.dropFirst(host.count + 2)
            guard rest.isEmpty || rest.hasPrefix(":") else {
                throw .invalidURL("unexpected text follows the IPv6 address")
            }
        } else {
            host = rest.prefix { $0 != ":" }
            rest = rest.dropFirst(host.count)
        }
        guard !host.isEmpty else { throw .invalidURL("it has no host") }
        var port = 6379
        if let text = rest.cut(after: ":") {
            guard text.utf8.allSatisfy(\.isDigit), let number = Int(text), (1...65535).contains(number) else {
                throw .invalidURL("the port is not a number from 1 to 65535")
            }
            port = number
        }
        self = .host(try host.percentDecoded(), port: port)
    }
}

// MARK: Text
extension Substring {
    /// Returns the text before the first occurrence of a character.
    fileprivate func prefixBefore(_ character: Character) -> Substring? {
        firstIndex(of: character).map { self[..<$0] }
    }

    /// Removes and returns the text after the first occurrence of a character, which is removed too.
    fileprivate mutating func cut(after character: Character) -> Substring? {
        guard let index = firstIndex(of: character) else { return nil }
        defer { self = self[..<index] }
        return self[self.index(after: index)...]
    }

    /// Removes and returns the text before the first occurrence of a separator, which is removed too.
    fileprivate mutating func cut(before separator: String) -> Substring? {
        guard let range = firstRange(of: separator) else { return nil }
        defer { self = self[range.upperBound...] }
        return self[..<range.lowerBound]
    }

    fileprivate func percentDecoded() throws(RedisError) -> String {
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexadecimalDigit, let low = rest.popFirst()?.hexadecimalDigit else {
                throw .invalidURL("a percent sign is not followed by two hexadecimal digits")
            }
            bytes.append(high << 4 | low)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .invalidURL("it is not UTF-8 after percent-decoding")
        }
        return text
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    fileprivate var hexadecimalDigit: UInt8? {
        Character(UnicodeScalar(self)).hexDigitValue.map { UInt8($0) }
    }
}

extension Optional {
    fileprivate func orThrow(_ reason: String) throws(RedisError) -> Wrapped {
        guard let self else { throw .invalidURL(reason) }
        return self
    }
}

extension RedisError {
    fileprivate static func invalidURL(_ reason: String) -> RedisError {
        RedisError(.invalidConfiguration, "the address of the Redis server is not valid: \(reason)")
    }
}
