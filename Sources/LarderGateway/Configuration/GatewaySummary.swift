import HTTPCaching
import HTTPTypes
import Larder

/// The description of a configuration in words: a table of its routes.
struct GatewaySummary: CustomStringConvertible {
    let description: String

    init(_ reading: GatewayReading) {
        let settings = reading.settings
        let scheme = settings.certificate == nil ? "http" : "https"
        let lead = """
            \(scheme)://\(settings.listen) forwards requests to \(settings.origin), unless a route names another origin.
            Responses are stored in \(settings.store == .memory ? "memory, up to \(settings.memoryLimit)" : "Redis"), \
            up to \(settings.variantLimit) variants per key. Errors (5xx, and 4xx other than \
            404, 405, 410, 414 and 451) are fresh for at most \
            \(DurationText.describe(CachingRules().errorLifetimeLimit)), unless a route sets error-ttl. \
            The first route that matches is used.
            """
        var rows = reading.file.rules.map { rule in
            Row(rule.name, rule.origin ?? reading.originName ?? "\(settings.origin)", rule.words(settings))
        }
        let rest = RouteRule(location: .nowhere)
        rows.append(Row("everything else", reading.originName ?? "\(settings.origin)", rest.words(settings)))
        description = lead + "\n\n" + Self.table(rows)
    }

    private struct Row {
        let takes: String
        let origin: String
        let words: [String]

        init(_ takes: String, _ origin: String, _ words: [String]) {
            (self.takes, self.origin, self.words) = (takes, origin, words)
        }
    }

    private static func table(_ rows: [Row]) -> String {
        let all = [Row("requests for", "go to", ["caching"])] + rows
        let takes = all.map(\.takes.count).max() ?? 0
        let origin = all.map(\.origin.count).max() ?? 0
        let lines = all.flatMap { row in
            row.words.enumerated().map { index, words in
                let first = index == 0
                return pad(first ? row.takes : "", to: takes) + "  " + pad(first ? row.origin : "", to: origin) + "  "
                    + words
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func pad(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

extension RouteRule {
    /// Returns the description of the route, one phrase a line.
    fileprivate func words(_ settings: GatewaySettings) -> [String] {
        guard isServed(settings) else { return ["no requests: the host is not one of the `hosts`"] }
        return isCached
            ? [freshness] + errors + staleness + choice + limits(settings) + invalidation
            : ["nothing is stored"] + invalidation
    }

    private var freshness: String {
        if let forceTTL {
            return "responses are fresh for \(Self.text(forceTTL)), unless they declare no-store, private or no-cache"
        }
        if let ttl { return "responses are fresh as declared, or for \(Self.text(ttl)) if they declare no lifetime" }
        return "responses are fresh as declared, or by a heuristic from Last-Modified"
    }

    private var errors: [String] {
        errorTTL.map { ["errors are fresh for at most \(Self.text($0))"] } ?? []
    }

    private var staleness: [String] {
        [
            staleWhileRevalidate.map {
                "stale responses are served for \(Self.text($0)) more while they are refreshed"
            },
            staleIfError.map { "stale responses are served for \(Self.text($0)) more if the origin fails" },
            staleAfter.map {
                "stale responses are served after \(Self.text($0)) if the origin is slow"
                    + (staleIfError == nil ? ", as far as they declare stale-if-error" : "")
            },
        ].compactMap { $0 }
    }

    /// The phrases that describe the handling of cookies.
    private var cookieWords: [String] {
        if cookies == .bypass { return ["requests with a cookie bypass the cache"] }
        let names = (credentialCookies ?? []).map(\.description).alternatives
        guard names.isEmpty else {
            return [
                "requests with the cookie \(names) bypass the cache",
                "other cookies are not forwarded, and do not affect what is stored",
            ]
        }
        let areForwarded = cookies == .forward && credentialCookies == nil
        return areForwarded ? [] : ["cookies are not forwarded, and all clients share responses"]
    }

    /// The phrases that describe which requests get which responses.
    private var choice: [String] {
        var words: [String] = []
        if !vary.isEmpty { words.append("responses are stored separately for each value of \(Self.list(vary))") }
        if !ignoredParameters.isEmpty {
            words.append("the parameters \(Self.list(ignoredParameters)) are ignored")
        }
        words += cookieWords
        if let credentialFields {
            let names = [HTTPField.Name.authorization] + credentialFields
            words.append(
                "responses to requests with \(Self.list(names)) are stored only if they declare "
                    + "public, s-maxage or must-revalidate"
            )
        }
        switch clientDirectives {
        case .coalesce, nil: break
        case .honor: words.append("each request with no-cache or max-age=0 is forwarded")
        case .ignore: words.append("Cache-Control in requests is ignored, except only-if-cached and no-store")
        }
        guard let bypass else { return words }
        let names = [
            ("cookie", bypass.cookies.map(\.description)), ("parameter", bypass.parameters.map(\.description)),
            ("field", bypass.fields.map(\.description)),
        ]
        for (what, names) in names where !names.isEmpty {
            words.append("requests with the \(what) \(names.alternatives) bypass the cache")
        }
        return words
    }

    private func limits(_ settings: GatewaySettings) -> [String] {
        var words = ["bodies are stored up to \(settings.storedBodyLimit(bodyLimit ?? settings.bodyLimit))"]
        if allowSetCookie { words.append("responses that set a cookie are stored") }
        if let targetedFields { words.append("\(Self.list(targetedFields)) take precedence over Cache-Control") }
        if !tags.isEmpty { words.append("responses have the tags \(Self.list(tags))") }
        if let tagLimit { words.append("responses with more than \(tagLimit) tags are not stored") }
        if let tagFields { words.append("tags are read from the fields \(Self.list(tagFields))") }
        if let coalescingTimeout { words.append("the coalescing timeout is \(Self.text(coalescingTimeout))") }
        return words
    }

    private var invalidation: [String] {
        let scopes = invalidates.map { scope in
            switch scope {
            case .key(let key): "\(key)"
            case .path(let path): "\(path)"
            case .prefix(let path): "\(path)/**"
            case .tag(let tag): "the tag \(tag)"
            case .everything: "everything"
            }
        }
        let words = scopes.isEmpty ? [] : ["a successful write invalidates \(scopes.joined(separator: ", "))"]
        return words + (invalidateOnError ? ["a write that fails with a 5xx invalidates too"] : [])
    }

    private static func text(_ duration: Duration) -> String { DurationText.describe(duration) }

    private static func list(_ names: [some CustomStringConvertible]) -> String {
        names.map(\.description).joined(separator: ", ")
    }
}
