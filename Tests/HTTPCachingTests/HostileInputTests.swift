import HTTPCaching
import HTTPTypes
import Testing

/// Field values that no ordinary client sends: every decision about them is made without a trap.
@Suite(.timeLimit(.minutes(5))) struct HostileInputTests {
    private static let pieces = [
        "max-age", "s-maxage", "no-cache", "private", "public", "max-stale", "min-fresh", "stale-while-revalidate",
        "stale-if-error", "must-understand", "=", "\"", ",", ";", " ", "\\", "\t", "-1", "0", "60", "2147483648",
        "9223372036854775808", "99999999999999999999999", "*", "W/", "\"a\"", "?1", "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Thu, 31 Feb 9999 99:99:99 GMT", "bytes=0-",
        "bytes=-1", "bytes=9223372036854775807-9223372036854775807", "\u{E9}", "'",
    ]

    private static let names = [
        "Cache-Control", "CDN-Cache-Control", "Pragma", "Expires", "Date", "Age", "Last-Modified", "ETag", "Vary",
        "If-None-Match", "If-Modified-Since", "Range", "If-Range", "Connection", "Authorization", "Surrogate-Key",
        "Cache-Tag", "Content-Range", "Location", "Content-Location", "Cache-Status",
    ].map { HTTPField.Name.named($0) }

    private static func fields(_ random: inout some RandomNumberGenerator) -> HTTPFields {
        var fields = HTTPFields()
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            guard let name = names.randomElement(using: &random) else { continue }
            let value = (0..<Int.random(in: 0...7, using: &random)).compactMap { _ in
                pieces.randomElement(using: &random)
            }
            fields.append(HTTPField(name: name, value: value.joined()))
        }
        return fields
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `Hostile fields do not trap in any decision`(_ seed: UInt64) {
        var random = Mixer(state: seed)
        for _ in 0..<5_000 {
            var request = HTTPRequest(.get, "/")
            request.headerFields = Self.fields(&random)
            let response = HTTPResponse(
                status: [.ok, .notFound, .partialContent, .notModified, .init(code: 599)].randomElement(using: &random)
                    ?? .ok,
                headerFields: Self.fields(&random)
            )
            var rules = Bool.random(using: &random) ? CachingRules.gateway : .decoratedRoute(ttl: .seconds(60))
            rules.targetedFields = [.cdnCacheControl]
            let storability = Storability.decide(
                request: request,
                response: response,
                rules: rules,
                requestedAt: start,
                respondedAt: at(1)
            )
            let directives = RequestDirectives(request.headerFields)
            if case .store(let lifetimes) = storability {
                #expect(lifetimes.freshUntil <= lifetimes.storedUntil, "seed \(seed)")
                for second in [0, 60, 1_000_000] {
                    let reuse = Reuse.decide(lifetimes: lifetimes, request: directives, now: at(second))
                    if case .fresh = reuse { #expect(lifetimes.ttl(at: at(second)) > 0, "seed \(seed)") }
                    #expect(lifetimes.age(at: at(second)) >= 0, "seed \(seed)")
                }
            }
            _ = Preconditions.evaluate(request, stored: response, receivedAt: start)
            _ = ByteRange.evaluate(request, stored: response, length: 10)
            _ = Invalidation.targets(request: request, response: response)
            let variant = VariantRule(response.headerFields)
            if let selecting = variant.selectingFields(of: request.headerFields) {
                #expect(variant.matches(request.headerFields, stored: selecting), "seed \(seed)")
                #expect(SelectingFields(text: selecting.text) == selecting, "seed \(seed)")
            } else {
                #expect(!variant.matches(request.headerFields, stored: .unmatchable), "seed \(seed)")
            }
            var stripped = response.headerFields
            HopByHop.strip(&stripped)
            let once = stripped
            HopByHop.strip(&stripped)
            #expect(once == stripped, "seed \(seed)")
        }
    }

    @Test func `A written date is read as the same date, for every timestamp`() {
        var random = Mixer(state: 9)
        for _ in 0..<2_000 {
            let time = Timestamp(secondsSinceEpoch: .random(in: 0...9_223_372_035, using: &random))
            #expect(HTTPDate.parse(HTTPDate.format(time), now: start) == time)
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
private struct Mixer: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
