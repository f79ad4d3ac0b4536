public import HTTPTypes

/// The rule by which a stored response answers requests: they match in the fields it varies by, and accept its coding.
///
/// `Vary` alone is not enough. Some servers and middleware send a content coding without `Vary`, or send `Vary` only
/// with the encoded response. Therefore:
/// - A response with a content coding varies by `Accept-Encoding` (``VaryRule``), and answers only requests that accept
///   its coding (RFC 9110 §12.5.3).
/// - A response without a coding that does not declare that it varies by `Accept-Encoding` shows only that the origin
///   does not send the codings that its request preferred. It answers requests that prefer no coding, or only some of
///   these.
public struct VariantRule: Hashable, Sendable {
    /// The fields that the response varies by.
    public let vary: VaryRule
    /// The content codings of the response, empty for identity.
    let codings: [String]

    /// Creates the rule of a response with these fields.
    public init(_ response: HTTPFields) {
        self.vary = VaryRule(response)
        self.codings = ContentCodings.names(in: response)
    }

    /// True if the response has no content coding and does not declare that it varies by `Accept-Encoding`.
    package var dependsOnPreferredCodings: Bool {
        guard codings.isEmpty else { return false }
        guard case .fields(let names) = vary else { return vary == .nothing }
        return !names.contains(.acceptEncoding)
    }

    /// Returns the values of `request` in the fields by which its response is selected. Returns nil if the response
    /// cannot answer any request: if it varies by everything or by a value that a library has altered, or if its own
    /// request does not accept its coding.
    public func selectingFields(of request: HTTPFields) -> SelectingFields? {
        guard let selecting = fields(of: request) else { return nil }
        if dependsOnPreferredCodings { return selecting.adding(AcceptEncoding.preferredCodings(of: request)) }
        return isAcceptable(to: request) ? selecting : nil
    }

    /// Returns true if a response that was stored for `selecting` fields may answer `request`: "it MUST NOT use that
    /// response unless all the presented request header fields nominated by that Vary field value match those fields in
    /// the original request" (RFC 9111 §4.1).
    public func matches(_ request: HTTPFields, stored selecting: SelectingFields) -> Bool {
        matches(request, having: fields(of: request), stored: selecting)
    }

    /// Returns the same for a request whose ``fields(of:)`` are known.
    package func matches(
        _ request: HTTPFields,
        having fields: SelectingFields?,
        stored selecting: SelectingFields
    ) -> Bool {
        guard let fields, fields.fieldLines == selecting.fieldLines else { return false }
        if dependsOnPreferredCodings {
            return AcceptEncoding.preferredCodings(of: request).isSubset(of: selecting.preferredCodings)
        }
        return isAcceptable(to: request)
    }

    /// Returns the values of `request` in the fields of ``vary``. They are the same for all rules that have the same
    /// ``vary`` and ``ignoresUnknownCodings``.
    package func fields(of request: HTTPFields) -> SelectingFields? {
        vary.selectingFields(of: request, ignoringUnknownCodings: ignoresUnknownCodings)
    }

    /// True if codings that are not in the registry are left out of `Accept-Encoding`: a server that answers without a
    /// coding does not know them either.
    package var ignoresUnknownCodings: Bool { codings.isEmpty }

    /// Returns true if a request accepts the codings of the response.
    package func isAcceptable(to request: HTTPFields) -> Bool {
        codings.isEmpty || AcceptEncoding(request).accepts(codings)
    }
}
