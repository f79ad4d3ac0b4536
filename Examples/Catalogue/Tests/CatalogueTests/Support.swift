import CZlib
import Catalogue
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import Testing

let adminToken = "a-token-for-the-tests"

/// Options for tests: few rows, fast hashes, and statistics that are computed once.
func testOptions(interval: Duration = .seconds(3_600)) -> CatalogueOptions {
    var options = CatalogueOptions()
    options.passwords = PasswordHashing(rounds: 2)
    options.seed = Seed(products: 45, reviews: 3, passwords: options.passwords)
    options.interval = interval
    options.allowedOrigin = "https://shop.example"
    options.adminToken = BearerToken(adminToken)
    return options
}

/// Runs a test against an application with a database in memory.
func withCatalogue(
    _ options: CatalogueOptions = testOptions(),
    _ test: @escaping @Sendable (Client) async throws -> Void
) async throws {
    try await buildApplication(options).test(.router) { try await test(Client(base: $0)) }
}

/// A client that sends the cookie of a user.
struct Client: Sendable {
    let base: any TestClientProtocol
    var headers = HTTPFields()

    func get(_ uri: String, _ headers: HTTPFields = [:]) async throws -> TestResponse {
        try await send(.get, uri, headers: headers)
    }

    @discardableResult
    func send(
        _ method: HTTPRequest.Method,
        _ uri: String,
        _ body: String? = nil,
        headers: HTTPFields = [:]
    ) async throws -> TestResponse {
        try await base.execute(
            uri: uri,
            method: method,
            headers: self.headers + headers,
            body: body.map { ByteBuffer(string: $0) }
        )
    }

    /// Returns a client that is signed in.
    func signedIn(_ name: String) async throws -> Client {
        let body = #"{"name":"\#(name)","password":"\#(name.lowercased())-password"}"#
        let response = try await send(.post, "/api/session", body)
        let cookie = try #require(response.headers[.setCookie]?.split(separator: ";").first)
        return Client(base: base, headers: [.cookie: String(cookie)])
    }
}

extension HTTPFields {
    static func + (first: HTTPFields, second: HTTPFields) -> HTTPFields {
        var sum = first
        sum.append(contentsOf: second)
        return sum
    }
}

/// The fields of a product that tests read.
struct ProductBody: Decodable {
    let id: Int
    let cents: Int
    let reviews: Int
}

extension TestResponse {
    var cacheStatus: String { headers[values: HTTPField.Name("Cache-Status")!].joined(separator: ", ") }
    var isHit: Bool { cacheStatus.contains("; hit") }
    var text: String { String(buffer: body) }

    func decoded<Value: Decodable>(as type: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(type, from: Data(body.readableBytesView))
    }

    /// The body without the compression of gzip.
    func unzipped() throws -> String {
        var input = Array(body.readableBytesView)
        var output = [UInt8](repeating: 0, count: 1 << 20)
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        try #require(inflateInit2_(&stream, 31, ZLIB_VERSION, size) == Z_OK)
        defer { inflateEnd(&stream) }
        let code = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                return inflate(&stream, Z_FINISH)
            }
        }
        try #require(code == Z_STREAM_END)
        return String(decoding: output.prefix(Int(stream.total_out)), as: UTF8.self)
    }
}

/// Asks until the answer is true. The time limit of the suite ends it.
func eventually(_ condition: () async throws -> Bool) async throws {
    while try await !condition() {
        try Task.checkCancellation()
        await Task.yield()
    }
}
