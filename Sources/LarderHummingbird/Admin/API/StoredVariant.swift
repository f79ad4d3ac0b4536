import HTTPCaching
import HTTPTypes
import Larder
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A stored response, as the admin API shows it: without its body, and without credentials.
struct StoredVariant: Encodable {
    /// A field of the response, or of the request that it was selected for.
    struct Field: Encodable {
        let name: String
        var value: String?
        var hidden: Bool?
    }

    let status: Int
    let fields: [Field]
    let size: Int
    let bodySize: Int
    let vary: [String]
    let selectingFields: [Field]
    let tags: [String]
    let age: Int
    let ttl: Int
    let lifetimeSource: String
    let generatedAt: String
    let freshUntil: String
    let staleWhileRevalidateUntil: String
    let staleIfErrorUntil: String
    let staleIfUnreachableUntil: String
    let storedUntil: String
    let readVersion: UInt64
    let decision: DecisionContent

    enum CodingKeys: String, CodingKey {
        case status, fields, size, vary, tags, age, ttl, decision
        case bodySize = "body_size"
        case selectingFields = "selecting_fields"
        case lifetimeSource = "lifetime_source"
        case generatedAt = "generated_at"
        case freshUntil = "fresh_until"
        case staleWhileRevalidateUntil = "stale_while_revalidate_until"
        case staleIfErrorUntil = "stale_if_error_until"
        case staleIfUnreachableUntil = "stale_if_unreachable_until"
        case storedUntil = "stored_until"
        case readVersion = "read_version"
    }

    /// - Parameters:
    ///   - decision: The decision about a request if this were the only variant.
    ///   - credentials: The fields whose values are not shown.
    init(_ entry: CacheEntry, _ decision: DecisionContent, hiding credentials: Set<HTTPField.Name>, at now: Timestamp) {
        let lifetimes = entry.lifetimes
        status = entry.head.status.code
        fields = entry.head.headerFields.map { field in
            Self.secrets.contains(field.name) || credentials.contains(field.name)
                ? Field(name: field.name.rawName, hidden: true) : Field(name: field.name.rawName, value: field.value)
        }
        size = entry.responseSize
        bodySize = entry.body.readableBytes
        vary =
            switch entry.vary {
            case .nothing: []
            case .everything: ["*"]
            case .fields(let names): names.map(\.canonicalName)
            }
        selectingFields = Self.fields(entry.selectingFields, hiding: credentials)
        tags = entry.namedTags.map(\.text)
        age = lifetimes.age(at: now)
        ttl = lifetimes.ttl(at: now)
        lifetimeSource = Self.source(lifetimes.source)
        generatedAt = Self.time(lifetimes.generatedAt)
        freshUntil = Self.time(lifetimes.freshUntil)
        staleWhileRevalidateUntil = Self.time(lifetimes.staleWhileRevalidateUntil)
        staleIfErrorUntil = Self.time(lifetimes.staleIfErrorUntil)
        staleIfUnreachableUntil = Self.time(lifetimes.staleIfUnreachableUntil)
        storedUntil = Self.time(lifetimes.storedUntil)
        readVersion = entry.readVersion.number
        self.decision = decision
    }

    /// The fields of responses whose values are credentials, or help to get some.
    private static let secrets: Set<HTTPField.Name> = [
        .setCookie, .authenticationInfo, .proxyAuthenticationInfo, .constant("Set-Cookie2"),
    ]

    /// Returns the request fields that a response was selected by, from their canonical form.
    private static func fields(_ selecting: SelectingFields, hiding credentials: Set<HTTPField.Name>) -> [Field] {
        selecting.fieldLines.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            // A response that no request selects has a line without a name.
            guard let name = HTTPField.Name(String(parts[0])) else { return nil }
            guard parts.count == 2 else { return Field(name: name.canonicalName) }
            return credentials.contains(name)
                ? Field(name: name.canonicalName, hidden: true)
                : Field(name: name.canonicalName, value: PercentEncoding.decoded(String(parts[1])))
        }
    }

    /// The names of the sources of a lifetime.
    static let sources = Lifetimes.Source.allCases.map(source)

    private static func source(_ source: Lifetimes.Source) -> String {
        switch source {
        case .none: "none"
        case .sMaxAge: "s-maxage"
        case .maxAge: "max-age"
        case .expires: "expires"
        case .heuristic: "heuristic"
        case .rules: "rules"
        }
    }

    private static func time(_ time: Timestamp) -> String {
        let seconds = Double(time.nanosecondsSinceEpoch) / 1_000_000_000
        return Date(timeIntervalSince1970: seconds).formatted(.iso8601WithFraction)
    }
}

extension FormatStyle where Self == Date.ISO8601FormatStyle {
    /// The form of RFC 3339 with milliseconds: `2026-12-01T09:00:00.000Z`.
    fileprivate static var iso8601WithFraction: Self { Date.ISO8601FormatStyle(includingFractionalSeconds: true) }
}

extension HTTPField.Name {
    fileprivate static let authenticationInfo = constant("Authentication-Info")
    fileprivate static let proxyAuthenticationInfo = constant("Proxy-Authentication-Info")
}
