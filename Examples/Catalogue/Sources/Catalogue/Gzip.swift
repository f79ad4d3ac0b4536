import CZlib
import HTTPTypes
import Hummingbird

/// Compresses responses with gzip, if the client accepts that.
///
/// It stands behind the cache (`cachingMiddleware()`): the compressed response is stored, and a hit costs no
/// compression.
struct Gzip<Context: RequestContext>: RouterMiddleware {
    /// Shorter responses would hardly become smaller.
    private let minimum = 256

    func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        let length = response.body.contentLength ?? .max
        guard response.status == .ok, response.headers[.contentEncoding] == nil, length >= minimum else {
            return response
        }
        // One key then has two variants, which differ by this field of the request.
        response.headers.append(HTTPField(name: .vary, value: "Accept-Encoding"))
        guard Self.accepts(request.headers[values: .acceptEncoding]) else { return response }
        response.headers[.contentEncoding] = "gzip"
        response.headers[.contentLength] = nil
        let body = response.body
        response.body = ResponseBody { writer in
            try await body.write(GzipWriter(parent: writer, stream: try GzipStream()))
        }
        return response
    }

    /// Returns whether one of the codings is gzip with a weight above 0.
    static func accepts(_ values: [String]) -> Bool {
        values.joined(separator: ",").lowercased().split(separator: ",").contains { coding in
            let parts = coding.split(separator: ";").map { $0.filter { $0 != " " } }
            return parts.first == "gzip"
                && !parts.dropFirst().contains { $0.hasPrefix("q=0") && Double($0.dropFirst(2)) == 0 }
        }
    }
}

/// A writer that passes on what it is given, compressed.
private struct GzipWriter: ResponseBodyWriter {
    var parent: any ResponseBodyWriter
    let stream: GzipStream

    mutating func write(_ buffer: ByteBuffer) async throws {
        let compressed = try stream.deflate(buffer, flush: Z_NO_FLUSH)
        if compressed.readableBytes > 0 { try await parent.write(compressed) }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {
        try await parent.write(stream.deflate(ByteBuffer(), flush: Z_FINISH))
        try await parent.finish(trailingHeaders)
    }
}

/// A stream of zlib. One task uses it, one call after the other.
private final class GzipStream {
    struct Failure: Error { let code: Int32 }

    private var stream = z_stream()

    init() throws {
        // 31 is a window of 32 KiB with the header of gzip.
        let size = Int32(MemoryLayout<z_stream>.size)
        let code = deflateInit2_(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
        guard code == Z_OK else { throw Failure(code: code) }
    }

    deinit { deflateEnd(&stream) }

    func deflate(_ input: ByteBuffer, flush: Int32) throws -> ByteBuffer {
        var input = input
        var output = ByteBuffer()
        try input.readWithUnsafeMutableReadableBytes { bytes in
            stream.next_in = bytes.bindMemory(to: UInt8.self).baseAddress
            stream.avail_in = UInt32(bytes.count)
            repeat {
                try output.writeWithUnsafeMutableBytes(minimumWritableBytes: 16 * 1024) { space in
                    stream.next_out = space.bindMemory(to: UInt8.self).baseAddress
                    stream.avail_out = UInt32(space.count)
                    let code = CZlib.deflate(&stream, flush)
                    guard code >= Z_OK || code == Z_BUF_ERROR else { throw Failure(code: code) }
                    return space.count - Int(stream.avail_out)
                }
            } while stream.avail_out == 0
            return bytes.count
        }
        return output
    }
}
