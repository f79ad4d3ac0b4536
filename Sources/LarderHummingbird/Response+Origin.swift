public import HTTPTypes
public import Hummingbird
public import Larder
public import NIOCore

/// Hummingbird's response as the engine's response of an origin. A body that is complete becomes a `ByteBuffer` body,
/// which Hummingbird writes together with the head.
extension Response: OriginResponse {
    public var bodyLength: Int? { body.contentLength }

    public init(head: HTTPResponse, body: ByteBuffer) {
        self.init(status: head.status, headers: head.headerFields, body: ResponseBody(byteBuffer: body))
        removeLengthOfNoContent()
    }

    public init(headOnly head: HTTPResponse) {
        self.init(status: head.status, headers: head.headerFields)
        // The initializer adds a `Content-Length` of 0 bytes for the empty body.
        self.headers = head.headerFields
    }

    public init(head: HTTPResponse, streaming body: BodyReader, length: Int?) {
        let stream = ResponseBody(contentLength: length) { writer in
            while let part = try await body.next() {
                try await writer.write(part)
            }
            try await writer.finish(nil)
        }
        self.init(status: head.status, headers: head.headerFields, body: stream)
        removeLengthOfNoContent()
    }

    /// Removes the `Content-Length` of 0 bytes that the initializer adds for an empty body: "A server MUST NOT send a
    /// Content-Length header field in any response with a status code of 1xx (Informational) or 204 (No Content)."
    /// (RFC 9110 §8.6)
    private mutating func removeLengthOfNoContent() {
        if status == .noContent { headers[.contentLength] = nil }
    }

    public func pourBody(into sink: some BodySink) async throws {
        try await body.write(SinkWriter(sink: sink))
    }
}

/// A writer that passes the parts of a Hummingbird body to a sink of the engine. It drops trailers, as a cache may
/// (RFC 9110 §6.5.1).
private struct SinkWriter<Sink: BodySink>: ResponseBodyWriter {
    let sink: Sink

    func write(_ buffer: ByteBuffer) async throws {
        try await sink.write(buffer)
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {
        try await sink.finish()
    }
}
