import AsyncHTTPClient
import HTTPTypes
import Hummingbird
import HummingbirdCore
import LarderHummingbird
import NIOCore
import NIOHTTP1

extension Response {
    /// Creates a response from an origin's response, whose body is still being received.
    init(
        _ response: HTTPClientResponse,
        to request: HTTPRequest,
        _ slot: OriginLoad.Slot,
        _ spools: SpoolSpace,
        _ bodyEnded: @escaping @Sendable ((any Error)?) -> Void
    ) throws(UpstreamError) {
        let code = Int(response.status.code)
        guard (200...999).contains(code) else { throw UpstreamError(.protocolError, "invalid status \(code)") }
        // A request without `TE` allows one transfer coding only, chunked. The remains of other codings would be taken
        // for content.
        let codings = response.headers["Transfer-Encoding"]
        guard codings.isEmpty || codings.count == 1 && codings[0].lowercased() == "chunked" else {
            throw UpstreamError(.protocolError, "unsupported transfer coding")
        }
        var head = HTTPResponse(status: HTTPResponse.Status(code: code, reasonPhrase: response.status.reasonPhrase))
        head.headerFields.reserveCapacity(response.headers.count)
        for (name, value) in response.headers {
            guard let name = HTTPField.Name(name) else { continue }
            head.headerFields.append(HTTPField(name: name, value: value))
        }
        guard request.method != .head, code != 204, code != 304 else {
            slot.end()
            self.init(headOnly: head)
            return
        }
        let length = head.headerFields[.contentLength].flatMap { Int($0) }
        let body = OriginBody(
            parts: response.body,
            length: length,
            slot: slot,
            spools: spools,
            onEnd: bodyEnded
        )
        self.init(
            status: head.status,
            headers: head.headerFields,
            body: ResponseBody(contentLength: length) { try await body.write(to: &$0) }
        )
    }
}

/// The body of an origin's response on its way to a reader.
///
/// The part of the body that the reader does not take at once is read ahead into a spool, so that the connection to the
/// origin is free when the origin has sent everything, however slow the reader is. A reader that keeps up gets each
/// part as it is received.
private struct OriginBody: Sendable {
    let parts: HTTPClientResponse.Body
    let length: Int?
    let slot: OriginLoad.Slot
    let spools: SpoolSpace
    let onEnd: @Sendable ((any Error)?) -> Void

    func write(to writer: inout any ResponseBodyWriter) async throws {
        let source = Source(parts: parts.makeAsyncIterator(), body: self)
        if spools.limits.message == 0 {
            while let part = try await source.next() { try await writer.write(part) }
        } else if let part = try await source.next() {
            // A body that is received at once needs neither a spool nor a task.
            if part.readableBytes == length {
                guard try await source.next() == nil else {
                    throw UpstreamError(.protocolError, "the response is longer than it declares")
                }
                try await writer.write(part)
            } else {
                try await writeSpooled(part, source, to: &writer)
            }
        }
        try await writer.finish(nil)
    }

    private func writeSpooled(
        _ first: ByteBuffer,
        _ source: Source,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        let spool = Spool(spools)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    var part: ByteBuffer? = first
                    while let next = part {
                        try await spool.append(next) {
                            let client = SlowClient(moved: { spool.takenWhileFilled }, end: { spool.abort($0) })
                            slot.noteWaiting(for: client)
                        }
                        part = try await source.next()
                    }
                    spool.finish()
                } catch {
                    spool.fail(error)
                    // The reader may still be writing to its client.
                    await source.drop()
                }
            }
            while let part = try await spool.next() { try await writer.write(part) }
        }
    }

    /// The parts as they are received from the origin.
    private final class Source: Sendable {
        // Read by one task at a time: the first part is read before the task starts that reads the others.
        private nonisolated(unsafe) var parts: HTTPClientResponse.Body.AsyncIterator
        private let body: OriginBody

        init(parts: HTTPClientResponse.Body.AsyncIterator, body: OriginBody) {
            (self.parts, self.body) = (parts, body)
        }

        func next() async throws -> ByteBuffer? {
            do {
                if let part = try await parts.next() { return part }
                // A cancelled task gets nil, like a task that has read everything.
                try Task.checkCancellation()
            } catch {
                body.onEnd(error)
                throw error
            }
            body.slot.end()
            body.onEnd(nil)
            return nil
        }

        /// Stops reading, so that the connection to the origin ends. The calling task is cancelled.
        func drop() async {
            withUnsafeCurrentTask { $0?.cancel() }
            _ = try? await next()
            body.slot.end()
        }
    }
}
