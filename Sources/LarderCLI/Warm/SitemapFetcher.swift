import AsyncHTTPClient
import Foundation
import LarderGateway
import LarderSimulation
import NIOCore
import NIOHTTP1

/// A client that reads sitemaps from servers. It does not send the admin token.
///
/// A sitemap is written by others, and an index may name any URL: those of other hosts than its own are not requested
/// unless they are allowed.
final class SitemapFetcher {
    /// The largest number of sitemaps that are requested: 1,000.
    static let countLimit = 1_000
    /// The largest number of sitemaps of which each lists the next one: 3. By the protocol it is 2.
    static let depthLimit = 3

    /// The reason why a sitemap is not read.
    struct Unreachable: Error {
        let reason: String
    }

    private let client: HTTPClient
    private let timeLimit: Duration
    private let hosts: Set<String>
    private var count = 0
    private var requested: Set<String> = []

    /// Creates a fetcher.
    /// - Parameter hosts: The hosts, with their ports if they have any, of which sitemaps may be read that an index of
    ///   another host lists.
    init(_ client: HTTPClient, timeLimit: Duration, hosts: [String]) {
        self.client = client
        self.timeLimit = timeLimit
        self.hosts = Set(hosts.map { $0.lowercased() })
    }

    /// Requests a sitemap that an index lists. Returns nil if it was requested before.
    /// - Parameters:
    ///   - index: The URL of the index; nil for a file.
    ///   - depth: The number of indexes above it, and one.
    func sitemap(at url: String, listedBy index: String?, depth: Int) async throws -> Sitemap? {
        guard depth <= Self.depthLimit else {
            throw Unreachable(reason: "more than \(Self.depthLimit) sitemaps list one another")
        }
        guard let host = Self.host(of: url) else {
            throw Unreachable(reason: "expected a URL with http:// or https://")
        }
        guard hosts.contains(host) || index.flatMap(Self.host) == host else {
            let other = index == nil ? "its index is a file" : "its index is on another host"
            throw Unreachable(reason: "\(other): --sitemap-host \(PrintedText.escaped(host)) allows it")
        }
        return requested.contains(url) ? nil : try await sitemap(at: url)
    }

    /// Requests a sitemap.
    /// - Throws: ``SitemapError``, or ``Unreachable``.
    func sitemap(at url: String) async throws -> Sitemap {
        count += 1
        guard count <= Self.countLimit else {
            throw Unreachable(reason: "more than \(Self.countLimit) sitemaps would be read")
        }
        requested.insert(url)
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "User-Agent", value: "larder")
        request.headers.add(name: "Accept", value: "application/xml, text/xml, */*")
        let content: ByteBuffer
        do {
            let answer = try await client.execute(request, deadline: .now() + TimeAmount(timeLimit))
            guard answer.status == .ok else {
                let target = answer.headers.first(name: "Location").map { " (to \(PrintedText.escaped($0)))" } ?? ""
                throw Unreachable(reason: "the server answered with status \(answer.status.code)\(target)")
            }
            content = try await answer.body.collect(upTo: Sitemap.lengthLimit)
        } catch is NIOTooManyBytesError {
            throw SitemapError.tooLong
        } catch let error as Unreachable {
            throw error
        } catch {
            throw Unreachable(reason: UpstreamError(error).reason)
        }
        do {
            let source = try SniffedSource(ByteArraySource([Array(content.readableBytesView)]))
            guard let bytes = try source.all(upTo: Sitemap.lengthLimit) else { throw SitemapError.tooLong }
            return try Sitemap(bytes)
        } catch let error as GzipError {
            throw Unreachable(reason: "\(error)")
        }
    }

    /// Returns the host of a URL with its port, unless that is the default; nil if it has none.
    private static func host(of url: String) -> String? {
        guard let components = URLComponents(string: url), let host = components.encodedHost?.lowercased(),
            let scheme = components.scheme?.lowercased(), ["http", "https"].contains(scheme), !host.isEmpty
        else { return nil }
        let standard = scheme == "http" ? 80 : 443
        return components.port.flatMap { $0 == standard ? nil : "\(host):\($0)" } ?? host
    }
}
