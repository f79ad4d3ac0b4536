import HTTPCaching
import HTTPTypes
import NIOCore

extension Serving {
    /// Cuts the part that a request asks for from the whole response that it would get (RFC 9110 §14.2): the head
    /// becomes that of a 206, or of a 416 if the range cannot be satisfied. Nothing changes if the whole is to be sent.
    /// - Returns: The body that belongs to the head.
    static func cut(
        _ head: inout HTTPResponse,
        _ whole: ByteBuffer,
        for request: HTTPRequest,
        at now: Timestamp
    ) -> ByteBuffer {
        let range = ByteRange.evaluate(request, stored: head, length: whole.readableBytes)
        let body: ByteBuffer
        switch range {
        case .whole: return whole
        case .part(let part):
            body = whole.getSlice(at: whole.readerIndex + part.lowerBound, length: part.count) ?? ByteBuffer()
            head.status = .partialContent
            // "If a 206 is generated in response to a request with an If-Range header field, the sender SHOULD NOT
            // generate other representation header fields beyond those required" (§15.3.7), which are those of a 304.
            if request.headerFields.contains(.ifRange) {
                head.headerFields = Preconditions.notModifiedFields(from: head.headerFields)
            }
        case .unsatisfiable:
            body = ByteBuffer()
            // A 416 is about the request: the lifetime and the type of the whole response do not apply to it.
            head = HTTPResponse(status: .rangeNotSatisfiable, headerFields: [.date: HTTPDate.format(now)])
        }
        head.headerFields[.contentLength] = String(body.readableBytes)
        head.headerFields[.contentRange] = range.contentRange(length: whole.readableBytes)
        return body
    }
}
