import HTTPCaching
import HTTPTypes
import Larder

/// The request fields that the gateway removes before it makes a key or applies a rule.
///
/// Servers that turn fields into variables, as CGI does (RFC 3875 §4.1.18), read `Accept_Language` and
/// `Accept-Language` as one field; some of them treat other separators in the same way (`X.Debug`). Rules, keys and
/// `Vary` know only the name with hyphens, so a client could use the other name to choose a response that is stored for
/// all clients. So fields with names of other characters than letters, digits and hyphens are removed, as in nginx,
/// unless a setting retains them.
enum DroppedFields {
    /// Removes the fields that the settings drop.
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

    /// Returns the names that a server may read in place of the actual names of a request's fields: the hyphenated
    /// names of the fields that the request has in another spelling.
    static func twins(in fields: HTTPFields) -> Set<HTTPField.Name> {
        var twins: Set<HTTPField.Name> = []
        for field in fields where !ProxyFields.isPlain(field.name) {
            if let name = HTTPField.Name(ProxyFields.hyphenated(field.name.canonicalName)) { twins.insert(name) }
        }
        return twins
    }

    /// Returns true if a request must bypass the cache because it has a field in another spelling, and a rule of the
    /// policy names that field, or the field changes a server's response by itself.
    static func mustBypass(_ fields: HTTPFields, under policy: CachePolicy, _ settings: GatewaySettings) -> Bool {
        guard settings.underscoreFields == .keep else { return false }
        let twins = twins(in: fields)
        guard !twins.isEmpty else { return false }
        let named = (policy.bypassRule?.fields ?? []) + policy.keys.fields + policy.rules.credentialFields + deciding
        return named.contains(where: twins.contains)
    }

    /// Prevents a response from being stored if it varies by a field that its request has in another spelling.
    static func confine(_ response: inout HTTPFields, of request: HTTPFields) {
        let twins = twins(in: request)
        guard !twins.isEmpty else { return }
        let varies = FieldList.members(of: .vary, in: response).contains {
            HTTPField.Name(String($0)).map(twins.contains) == true
        }
        if varies { response[.vary] = "*" }
    }

    /// The fields with a hyphen that change a server's response, whatever the rules name.
    private static let deciding: [HTTPField.Name] = [
        .ifMatch, .ifNoneMatch, .ifModifiedSince, .ifUnmodifiedSince, .ifRange, .proxyAuthorization,
    ]
}
