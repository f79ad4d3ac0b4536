package import HTTPCaching
package import HTTPTypes
package import Larder
import NIOCore

extension CacheEntry {
    /// Creates an entry for a 200 response with a text body.
    /// - Parameters:
    ///   - staleFor: The time for which it is stored after it was fresh, and may be served stale.
    ///   - request: The fields of the request that it answers.
    package static func sample(
        _ text: String,
        at location: EntryLocation,
        readVersion: LogVersion,
        now: Timestamp,
        freshFor: Duration = .seconds(60),
        staleFor: Duration = .zero,
        tags: [CacheTag] = [],
        request: HTTPFields = [:],
        _ fields: HTTPFields = [:]
    ) -> CacheEntry {
        let freshUntil = now.advanced(by: freshFor)
        let storedUntil = freshUntil.advanced(by: staleFor)
        return CacheEntry(
            request: .get("/", request),
            head: HTTPResponse(status: .ok, headerFields: fields),
            body: ByteBuffer(string: text),
            lifetimes: Lifetimes(
                generatedAt: now,
                freshUntil: freshUntil,
                staleWhileRevalidateUntil: storedUntil,
                staleIfErrorUntil: storedUntil,
                staleIfUnreachableUntil: storedUntil,
                storedUntil: storedUntil,
                source: .rules
            ),
            readVersion: readVersion,
            location: location,
            tags: tags
        )
    }

    /// The body as text.
    package var text: String { String(buffer: body) }
}

extension HTTPRequest {
    /// Creates a GET request for a path on `localhost`.
    package static func get(_ path: String, _ fields: HTTPFields = [:]) -> HTTPRequest {
        HTTPRequest(method: .get, scheme: "http", authority: "localhost", path: path, headerFields: fields)
    }
}
