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
            \(scheme)://\(settings.listen) passes requests on to \(settings.origin), or where a route says so.
            Responses are kept in \(settings.store == .memory ? "memory, up to \(settings.memoryLimit)" : "Redis"), \
            up to \(settings.variantLimit) variants under one key. Errors (5xx, and 4xx but \
            404, 405, 410, 414 and 451) are fresh for \
            \(DurationText.describe(CachingRules().errorLifetimeLimit)) at most, or as a route says. \
            The first route that matches counts.
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
        let all = [Row("requests for", "go to", ["and what comes back is"])] + rows
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
        isCached
            ? [freshness] + errors + staleness + choice + limits(settings) + invalidation
            : ["never kept"] + invalidation
    }

    private var freshness: String {
        if let forceTTL {
            return "fresh for \(Self.text(forceTTL)) whatever it says, but no-store, private or no-cache"
        }
        if let ttl { return "fresh as long as it says, or for \(Self.text(ttl)) where it says nothing" }
        return "fresh as long as it says, or a guess from Last-Modified"
    }

    private var errors: [String] {
        errorTTL.map { ["fresh for \(Self.text($0)) at most if they are errors"] } ?? []
    }

    private var staleness: [String] {
        [
            staleWhileRevalidate.map { "served stale for \(Self.text($0)) more while a new one is fetched" },
            staleIfError.map { "served stale for \(Self.text($0)) more where the origin fails" },
            staleAfter.map { "served stale after \(Self.text($0)) if the origin is slow" },
        ].compactMap { $0 }
    }

    /// The phrases that describe which requests get which responses.
    private var choice: [String] {
        var words: [String] = []
        if !vary.isEmpty { words.append("kept apart by \(Self.list(vary))") }
        if !ignoredParameters.isEmpty {
            words.append("the same whatever the parameters \(Self.list(ignoredParameters))")
        }
        switch cookies {
        case .forward: break
        case .bypass: words.append("past the cache for requests with a cookie")
        case .ignore, .drop: words.append("fetched without cookies, and the same for everybody")
        }
        if let credentialCookies {
            let names = credentialCookies.map(\.description).joined(separator: " or ")
            if !names.isEmpty { words.append("past the cache for requests with the cookie \(names)") }
            words.append("fetched without other cookies, and the same whatever they are")
        }
        if let credentialFields {
            let names = [HTTPField.Name.authorization] + credentialFields
            words.append("not kept for requests with \(Self.list(names)) unless it says that it is for all")
        }
        switch clientDirectives {
        case .coalesce, nil: break
        case .honor: words.append("fetched for each request with no-cache or max-age=0")
        case .ignore: words.append("the same whatever Cache-Control a client sends")
        }
        guard let bypass else { return words }
        let names = [
            ("cookie", bypass.cookies.map(\.description)), ("parameter", bypass.parameters.map(\.description)),
            ("field", bypass.fields.map(\.description)),
        ]
        for (what, names) in names where !names.isEmpty {
            words.append("past the cache for requests with the \(what) \(names.joined(separator: " or "))")
        }
        return words
    }

    private func limits(_ settings: GatewaySettings) -> [String] {
        var words = ["kept up to \(settings.storedBodyLimit(bodyLimit ?? settings.bodyLimit))"]
        if allowSetCookie { words.append("kept even where it sets a cookie") }
        if let targetedFields { words.append("cached by \(Self.list(targetedFields)) before Cache-Control") }
        if !tags.isEmpty { words.append("tagged \(Self.list(tags))") }
        if let tagLimit { words.append("not kept with more than \(tagLimit) tags of its own") }
        if let tagFields { words.append("tagged by the fields \(Self.list(tagFields))") }
        if let coalescingTimeout { words.append("coalescing timeout \(Self.text(coalescingTimeout))") }
        return words
    }

    private var invalidation: [String] {
        let covers = invalidates.map { cover in
            switch cover {
            case .key(let key): "\(key)"
            case .path(let path): "\(path)"
            case .prefix(let path): "\(path)/**"
            case .tag(let tag): "the tag \(tag)"
            case .everything: "everything"
            }
        }
        let words = covers.isEmpty ? [] : ["a write that succeeds invalidates \(covers.joined(separator: ", "))"]
        return words + (invalidateOnError ? ["a write that fails with a 5xx invalidates as well"] : [])
    }

    private static func text(_ duration: Duration) -> String { DurationText.describe(duration) }

    private static func list(_ names: [some CustomStringConvertible]) -> String {
        names.map(\.description).joined(separator: ", ")
    }
}
