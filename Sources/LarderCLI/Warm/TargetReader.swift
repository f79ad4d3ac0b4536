import Foundation
import LarderSimulation

/// The reader of the URLs that `larder warm` requests: of lists, sitemaps and access logs.
struct TargetReader {
    /// The reading of URLs and paths.
    let text: TargetText
    /// The kind of all sources.
    let format: TargetFormat
    /// The reader of sitemaps on servers.
    let fetcher: SitemapFetcher
    /// The URLs of lists and sitemaps, in their order.
    private var list = TargetList()
    /// The URLs of access logs.
    private var counts = TargetCounts()
    /// The messages about what was left out, one for each file.
    private(set) var warnings: [String] = []
    /// True if a sitemap of an index could not be read.
    private(set) var isIncomplete = false

    init(_ text: TargetText, format: TargetFormat, fetcher: SitemapFetcher) {
        self.text = text
        self.format = format
        self.fetcher = fetcher
    }

    /// The URLs that were read: those of lists and sitemaps in their order, then those of logs, the most frequent
    /// first.
    var targets: TargetList {
        var all = list
        for url in counts.urls { all.add(url) }
        return all
    }

    /// The number of requests in logs that were left out because there are too many different URLs.
    var uncounted: Int { counts.leftOut }

    /// Reads a file, standard input, or a sitemap on a server.
    /// - Throws: ``Failure`` if the source cannot be read.
    mutating func read(_ source: String) async throws {
        if ["http://", "https://"].contains(where: { source.lowercased().hasPrefix($0) }) {
            let address = PrintedText.escaped(source)
            do {
                try await read(try await fetcher.sitemap(at: source), of: source, depth: 1)
            } catch let error as SitemapError {
                throw Failure("\(address): \(error)", code: EX_DATAERR)
            } catch let error as SitemapFetcher.Unreachable {
                throw Failure("\(address): \(error.reason)", code: EX_UNAVAILABLE)
            }
            return
        }
        let file = try FileSource(source)
        do {
            let sniffed = try SniffedSource(file)
            switch format == .auto ? TargetFormat.detected(in: sniffed.head) : format {
            case .list, .auto: try readList(sniffed, named: file.name)
            case .sitemap: try await readSitemap(sniffed, named: file.name)
            case .log: try readLog(sniffed, file)
            }
        } catch let error as SitemapError {
            throw Failure("\(file.name): \(error)", code: EX_DATAERR)
        } catch let error as GzipError {
            throw Failure("\(file.name): \(error)", code: EX_DATAERR)
        }
    }

    // MARK: - Lists

    private mutating func readList(_ source: any ByteSource, named name: String) throws {
        var lines = LineReader(source)
        var (number, skipped, firstSkipped) = (0, 0, 0)
        while let line = try lines.next() {
            number += 1
            var url: String?
            if case .text(let place) = line {
                let text = String(decoding: lines.bytes[place], as: UTF8.self)
                let hasMark = number == 1 && text.hasPrefix("\u{FEFF}")
                let target = (hasMark ? String(text.dropFirst()) : text).trimmingBlanks
                if target.isEmpty || target.hasPrefix("#") { continue }
                url = self.text.target(target)
            }
            if let url {
                list.add(url)
            } else {
                if skipped == 0 { firstSkipped = number }
                skipped += 1
            }
        }
        warn(skipped, name, firstSkipped)
    }

    private mutating func warn(_ skipped: Int, _ name: String, _ first: Int) {
        guard skipped > 0 else { return }
        let lines = EntryText.count(skipped, "line was", "lines were")
        warnings.append("\(lines) skipped, the first at \(name):\(first): expected a URL or a path that begins with /")
    }

    // MARK: - Sitemaps

    private mutating func readSitemap(_ source: SniffedSource, named name: String) async throws {
        guard let bytes = try source.all(upTo: Sitemap.lengthLimit) else { throw SitemapError.tooLong }
        try await read(try Sitemap(bytes), of: nil, depth: 1)
    }

    /// Adds the URLs of a sitemap and of the sitemaps that it lists.
    /// - Parameters:
    ///   - url: The URL of the sitemap; nil for a file.
    ///   - depth: The number of sitemaps above this one, and this one.
    private mutating func read(_ sitemap: Sitemap, of url: String?, depth: Int) async throws {
        guard sitemap.kind == .sitemaps else {
            var skipped = 0
            for location in sitemap.locations {
                if let url = text.target(location) { list.add(url) } else { skipped += 1 }
            }
            if skipped > 0 {
                let count = EntryText.count(skipped, "location is", "locations are")
                warnings.append("\(count) skipped in \(url ?? "the sitemap"): expected URLs with http:// or https://")
            }
            return
        }
        for location in sitemap.locations {
            do {
                guard let inner = try await fetcher.sitemap(at: location, listedBy: url, depth: depth + 1) else {
                    continue
                }
                try await read(inner, of: location, depth: depth + 1)
            } catch let error as SitemapError {
                leaveOut(location, "\(error)")
            } catch let error as SitemapFetcher.Unreachable {
                leaveOut(location, error.reason)
            }
        }
    }

    private mutating func leaveOut(_ location: String, _ reason: String) {
        isIncomplete = true
        warnings.append("the sitemap \(PrintedText.escaped(location)) is left out: \(reason)")
    }

    // MARK: - Access logs

    private mutating func readLog(_ source: any ByteSource, _ file: FileSource) throws {
        var options = ReadingOptions()
        (options.readsTargets, options.readsHosts) = (true, true)
        var reader = LogReader([LogReader.File(name: file.name, source: source)], options: options)
        let progress = LogProgress([file])
        defer { progress.clear() }
        do {
            try reader.begin()
            guard reader.content ?? .requests == .requests else {
                throw Failure(Self.expected(file.name, 1), code: EX_DATAERR)
            }
            while let batch = try reader.next() {
                progress.show(reader.totals.requests)
                for (place, record) in batch.records.enumerated() where record.kind == .load || record.kind == .peek {
                    if let url = text.target(batch.targets[place], host: batch.hosts[place]) { counts.add(url) }
                }
            }
        } catch let error as UnknownFormat {
            throw Failure(Self.expected(file.name, error.line) + ", not \(error.excerpt)", code: EX_DATAERR)
        } catch let error as MalformedLine {
            throw Failure("\(error)", code: EX_DATAERR)
        } catch let error as UnreadableFile {
            throw error.reason
        }
        if let malformed = reader.totals.firstMalformed {
            let lines = EntryText.count(reader.totals.malformed, "line was", "lines were")
            warnings.append("\(lines) skipped, the first at \(malformed)")
        }
    }

    private static func expected(_ name: String, _ line: Int) -> String {
        "\(name):\(line): expected a URL or a path, a sitemap, or a line of an access log"
    }
}
