import HTTPCaching
import HTTPTypes
import Larder

/// The request fields that go no further than the gateway, before a key is made or a rule looks at them.
///
/// Servers that make variables of fields, as CGI says (RFC 3875 §4.1.18), read `Accept_Language` and `Accept-Language`
/// as one, some of them any other separator as well (`X.Debug`). A rule, a key or `Vary` knows the one with hyphens
/// only: by the other a client would choose what is stored for all. So names of anything but letters, digits and
/// hyphens are dropped, as in nginx, unless a setting keeps them.
enum DroppedFields {
    /// Removes what the settings drop.
    static func remove(from fields: inout HTTPFields, _ settings: GatewaySettings) {
        let dropsTwins = settings.underscoreFields == .drop
        func isDropped(_ field: HTTPField) -> Bool {
            if dropsTwins, !ProxyFields.isPlain(field.name) { return true }
            let name = field.name.canonicalName
            return settings.dropFields.contains { $0.matches(name) }
        }
        guard fields.contains(where: isDropped) else { return }
        fields.removeAll(where: isDropped)
    }

    /// Returns the fields that a server may read in place of others that a request does not have: those that it has in
    /// another spelling.
    static func twins(in fields: HTTPFields) -> Set<HTTPField.Name> {
        var twins: Set<HTTPField.Name> = []
        for field in fields where !ProxyFields.isPlain(field.name) {
            if let name = HTTPField.Name(ProxyFields.hyphenated(field.name.canonicalName)) { twins.insert(name) }
        }
        return twins
    }

    /// Returns true if a request must bypass the cache for a field in another spelling: one that a rule of the policy
    /// names, or that decides by itself what a server answers.
    static func mustBypass(_ fields: HTTPFields, under policy: CachePolicy, _ settings: GatewaySettings) -> Bool {
        guard settings.underscoreFields == .keep else { return false }
        let twins = twins(in: fields)
        guard !twins.isEmpty else { return false }
        let named = (policy.bypassRule?.fields ?? []) + policy.keys.fields + policy.rules.credentialFields + deciding
        return named.contains(where: twins.contains)
    }

    /// Has a response that differs by a field stored for nobody if its request has the field in another spelling.
    static func confine(_ response: inout HTTPFields, of request: HTTPFields) {
        let twins = twins(in: request)
        guard !twins.isEmpty else { return }
        let varies = FieldList.members(of: .vary, in: response).contains {
            HTTPField.Name(String($0)).map(twins.contains) == true
        }
        if varies { response[.vary] = "*" }
    }

    /// The fields with a hyphen that decide what a server answers, whatever rules say.
    private static let deciding: [HTTPField.Name] = [
        .ifMatch, .ifNoneMatch, .ifModifiedSince, .ifUnmodifiedSince, .ifRange, .proxyAuthorization,
    ]
}
