/// The origin cannot be reached, and what is kept must not be served without it: a gateway's answer is 504.
///
/// "If a cache is disconnected, the cache MUST generate an error response rather than reuse the stale response. The
/// generated response SHOULD be a 504 (Gateway Timeout) unless another error status is more applicable" (RFC 9111
/// §5.2.2.2, of `must-revalidate`; `proxy-revalidate`, `s-maxage` and `no-cache` mean the same for a shared cache).
/// It is thrown only where a server is asked: what a handler throws stays as it is.
public struct DisconnectedError: Error, CustomStringConvertible {
    /// What the origin threw.
    public let underlying: any Error

    /// An error in place of the origin's own.
    public init(underlying: any Error) { self.underlying = underlying }

    public var description: String { "The origin cannot be reached to validate what is kept: \(underlying)" }
}
