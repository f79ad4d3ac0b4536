public import HTTPTypes
public import Hummingbird
public import Larder
public import NIOCore

/// Hummingbird's response as the engine sees it. A whole body stays a `ByteBuffer` body, which Hummingbird writes
/// together with the head in one go.
extension Response: OriginResponse {
    public var bodyLength: Int? { body.contentLength }

    public init(head: HTTPResponse, body: ByteBuffer) {
        self.init(status: head.status, headers: head.headerFields, body: ResponseBody(byteBuffer: body))
    }

    public init(headOnly head: HTTPResponse) {
        self.init(status: head.status, headers: head.headerFields)
        // The initialiser adds the length of the body that is not there.
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
    }

    public func pourBody(into sink: some BodySink) async throws {
        try await body.write(SinkWriter(sink: sink))
    }
}

/// Takes what a Hummingbird body writes to wherever the engine wants it. Trailers end here: a cache may drop them
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
