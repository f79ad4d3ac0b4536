/// The error for an origin that cannot be reached while the stored response must not be served without it: a gateway
/// answers with 504.
///
/// "If a cache is disconnected, the cache MUST generate an error response rather than reuse the stale response. The
/// generated response SHOULD be a 504 (Gateway Timeout) unless another error status is more applicable" (RFC 9111
/// §5.2.2.2, of `must-revalidate`; `proxy-revalidate`, `s-maxage` and `no-cache` mean the same for a shared cache). It
/// is thrown only if the origin is a server: an error of a handler is thrown unchanged.
public struct DisconnectedError: Error, CustomStringConvertible {
    /// The error that the origin threw.
    public let underlying: any Error

    /// Creates an error in place of the origin's error.
    public init(underlying: any Error) { self.underlying = underlying }

    public var description: String { "The origin cannot be reached to validate the stored response: \(underlying)" }
}
