import HTTPCaching
import HTTPTypes
import LarderExplain
import LarderTestSupport

/// The time at which the exchanges in the files take place: Sun, 06 Nov 1994 08:49:37 GMT.
let start = Timestamp(secondsSinceEpoch: 784_111_777)

/// Returns a generator of reproducible random numbers, and prints its seed.
func seeded(for test: String) -> SeededRandom {
    let seed = UInt64.random(in: .min ... .max)
    print("seed of \(test): \(seed)")
    return SeededRandom(seed: seed)
}

extension SeededRandom {
    mutating func pick<T>(_ values: [T]) -> T {
        values[Int.random(in: values.indices, using: &self)]
    }

    mutating func isTrue(in chances: Int) -> Bool {
        Int.random(in: 0..<chances, using: &self) == 0
    }

    /// Returns a random number of seconds as text: usually small, sometimes absurdly large or malformed.
    mutating func seconds() -> String {
        isTrue(in: 12)
            ? pick(["", "x", "-1", "99999999999999999999", "\"7\"", "1.5"]) : String(pick([0, 1, 5, 9, 30]))
    }

    /// Returns random directives from `names`; a name that ends in `=` gets a number.
    mutating func directives(_ names: [String], atMost count: Int) -> String {
        (0..<Int.random(in: 0...count, using: &self)).map { _ in
            let name = pick(names)
            return name.hasSuffix("=") ? name + seconds() : name
        }.joined(separator: ", ")
    }

    /// Returns a random exchange with fields that affect the rules.
    mutating func exchange() -> Exchange {
        var request = HTTPRequest(
            method: isTrue(in: 20) ? pick([.head, .put, .options]) : .get,
            scheme: "https",
            authority: "example.org",
            path: "/a"
        )
        let asked = directives(
            [
                "max-age=", "min-fresh=", "max-stale=", "max-stale", "stale-if-error=", "only-if-cached", "no-cache",
                "x",
            ],
            atMost: 3
        )
        if !asked.isEmpty { request.headerFields[.cacheControl] = asked }
        if isTrue(in: 20) { request.headerFields[.authorization] = "x" }
        var response = HTTPResponse(status: .init(code: isTrue(in: 5) ? pick([204, 206, 301, 404, 500, 503]) : 200))
        response.headerFields[.cacheControl] = directives(
            [
                "max-age=", "max-age=", "s-maxage=", "stale-while-revalidate=", "stale-if-error=", "must-revalidate",
                "public", "immutable", "no-cache", "no-cache=\"a\"", "proxy-revalidate", "private=\"set-cookie\"", "x",
            ],
            atMost: 4
        )
        if isTrue(in: 6) {
            response.headerFields[HTTPField.Name.cdnCacheControl] = directives(["max-age=", "x"], atMost: 2)
        }
        if isTrue(in: 2) { response.headerFields[.eTag] = pick(["\"a\"", "W/\"a\"", "broken"]) }
        if isTrue(in: 3) { response.headerFields[.lastModified] = HTTPDate.format(start.advanced(by: .seconds(-100))) }
        if isTrue(in: 3) { response.headerFields[.expires] = HTTPDate.format(start.advanced(by: .seconds(20))) }
        if isTrue(in: 2) { response.headerFields[.date] = HTTPDate.format(start.advanced(by: .seconds(-3))) }
        if isTrue(in: 3) { response.headerFields[.age] = seconds() }
        if isTrue(in: 20) { response.headerFields[.setCookie] = "a" }
        if isTrue(in: 10) { response.headerFields[.vary] = pick(["Accept", "*"]) }
        let delay = Duration.milliseconds(Int.random(in: 0...2_500, using: &self))
        return Exchange(
            request: request,
            response: response,
            bodyLength: isTrue(in: 2) ? 7 : nil,
            requestedAt: start.advanced(by: .zero - delay),
            respondedAt: start
        )
    }

    /// Returns random rules similar to the presets.
    mutating func rules() -> CachingRules {
        var rules = isTrue(in: 4) ? CachingRules.decoratedRoute(ttl: .seconds(9)) : .gateway
        if isTrue(in: 2) { rules.retention = .seconds(pick([0, 10, 40])) }
        if isTrue(in: 3) { rules.staleWhileRevalidate = .seconds(pick([5, 50])) }
        if isTrue(in: 3) { rules.staleIfError = .seconds(pick([5, 50])) }
        rules.allowsStaleBesideSMaxAge = isTrue(in: 3)
        return rules
    }

    /// Returns `bytes` with up to four bytes changed, doubled, removed or inserted, and sometimes cut short.
    mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        let interesting = Array("\r\n :<>*/\t\"=,HTP12{}@".utf8) + [0, 0x7F, 0x80, 0xC3, 0xFF]
        for _ in 0..<Int.random(in: 1...4, using: &self) {
            let index = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &self)
            switch Int.random(in: 0..<6, using: &self) {
            case 0: if !bytes.isEmpty { bytes[index] = pick(interesting) }
            case 1: if !bytes.isEmpty { bytes.remove(at: index) }
            case 2: bytes.insert(pick(interesting), at: index)
            case 3: bytes.insert(contentsOf: bytes.prefix(index), at: index)
            case 4: bytes.removeSubrange(index..<min(bytes.count, index + 9))
            default: bytes = Array(bytes.prefix(index + 1))
            }
        }
        return bytes
    }
}
