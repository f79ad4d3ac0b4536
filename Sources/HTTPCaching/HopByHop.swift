public import HTTPTypes

/// The fields that belong to one connection, and those that are not stored (RFC 9110 §7.6.1, RFC 9111 §3.1).
public enum HopByHop {
    /// Takes out the fields of the connection: the known ones, and those that `Connection` names.
    public static func strip(_ fields: inout HTTPFields) {}

    /// The fields of a response as they are stored: without those of the connection, without `Age` (the lifetimes hold
    /// it), without those that `private="…"` and `no-cache="…"` name, and with a `Date`.
    public static func storedFields(
        of response: HTTPFields,
        directives: ResponseDirectives,
        receivedAt: Timestamp
    ) -> HTTPFields {
        response
    }
}
