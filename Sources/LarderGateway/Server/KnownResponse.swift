import LarderHummingbird
import NIOCore
import NIOHTTP1

/// A response that was sent, and the configuration by which it is right.
struct KnownResponse: Sendable {
    let response: RepeatableResponse
    /// Nil if the configuration was replaced, and no request uses it any more.
    weak let configuration: ActiveConfiguration?

    init(_ response: RepeatableResponse, under configuration: ActiveConfiguration?) {
        self.response = response
        self.configuration = configuration
    }
}

/// The last request of a connection that was answered by a known response.
///
/// Many clients send the same bytes again and again, apart from the target. Equal bytes are an equal head, so they are
/// answered without being decoded.
struct RepeatedRequest {
    /// The bytes of the whole request.
    let bytes: ByteBuffer
    let head: HTTPRequestHead
    let known: KnownResponse

    /// The largest size in bytes of a request that a connection remembers: 2,048.
    static let limit = 2_048
}
