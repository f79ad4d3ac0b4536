import ArgumentParser
import AsyncHTTPClient
import Foundation
import LarderSimulation
import NIOCore
import UnixSignals

/// The command `larder warm`, which requests URLs so that their responses are stored.
struct Warm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Request URLs through the cache, so that their responses are stored.",
        discussion: """
            A source is a list with one URL or path on each line (# begins a comment), a sitemap or an index of \
            sitemaps (XML), or an access log in one of the formats of larder simulate; - is standard input, and \
            http://… or https://… a sitemap on a server. Each may be compressed with gzip. Every URL is requested \
            once, with those of access logs in the order of their requests: the most frequent first.

            Paths belong to --base, by default the host and port of the admin API. A gateway stores by host: give \
            the one that clients use, such as --base https://shop.example. An application stores by path alone.

            Sitemaps of an index are read from the host of the index, and from those that --sitemap-host names. A \
            sitemap has at most 50 MiB without compression. At most 1,000 sitemaps and 1,000,000 URLs are read.

            With --resume, URLs that were requested are written to a file, and those that it has are not requested \
            again: after an interruption the same command goes on. URLs that failed are requested again.

            EXAMPLES
              larder warm urls.txt
              larder warm https://shop.example/sitemap.xml --rate 20
              larder warm access.log --base https://shop.example --limit 1000
              zcat access.log.*.gz | larder warm - --concurrency 8 --resume warm.done

            \(AdminExit.codes("A request failed, a sitemap was left out, or there was no URL."))
            """
    )

    /// The time limit of a batch if none is given.
    private static let timeLimit = Duration.seconds(300)

    @Argument(help: ArgumentHelp("Lists, sitemaps or access logs.", valueName: "source"), completion: .file())
    var sources: [String]

    @Option(help: ArgumentHelp("The scheme, host and port of paths.", valueName: "url"))
    var base: String?

    @Option(help: ArgumentHelp("The kind of the sources.", valueName: "kind"))
    var type = TargetFormat.auto

    @Option(help: ArgumentHelp("The largest number of URLs (all).", valueName: "count"))
    var limit: Int?

    @Option(help: ArgumentHelp("The number of requests at a time, 1 to 32.", valueName: "count"))
    var concurrency = 4

    @Option(help: ArgumentHelp("The largest number of requests per second, 1 to 1000 (any).", valueName: "count"))
    var rate: Double?

    @Option(
        name: [.long, .customShort("H")],
        help: ArgumentHelp("A field of the requests, if responses vary by it.", valueName: "name: value")
    )
    var header: [String] = []

    @Option(
        help: ArgumentHelp("A file of the URLs that were requested, which are not requested again.", valueName: "file"),
        completion: .file()
    )
    var resume: String?

    @Option(
        help: ArgumentHelp("A host whose sitemaps are read if an index of another host lists them.", valueName: "host")
    )
    var sitemapHost: [String] = []

    @OptionGroup var admin: AdminOptions

    func validate() throws {
        guard sources.count(where: { $0 == "-" }) <= 1 else {
            throw ValidationError("standard input can be read once: give - once")
        }
        guard (1...32).contains(concurrency) else {
            throw ValidationError("--concurrency is invalid: expected a number from 1 to 32")
        }
        if let rate, !(1...1_000).contains(rate) {
            throw ValidationError("--rate is invalid: expected a number from 1 to 1000")
        }
        if let limit, limit < 1 { throw ValidationError("--limit is invalid: expected a number of 1 or more") }
        _ = try (text(), header.map(FieldText.checked))
    }

    private func text() throws -> TargetText {
        guard let text = TargetText(origin: try base ?? admin.address().origin) else {
            throw ValidationError("--base is invalid: expected scheme, host and port such as https://shop.example")
        }
        return text
    }

    func run() async throws {
        let done = try resume.map(ResumeFile.init)
        try await AdminClient.run(admin, timeLimit: Self.timeLimit) { client in
            let form = try await client.warmForm()
            let (urls, isIncomplete) = try await targets(form)
            let rest = done.map { done in urls.filter { !done.contains($0) } } ?? urls
            if urls.count > rest.count {
                let count = EntryText.count(urls.count - rest.count, "URL was", "URLs were")
                printError("larder: \(count) requested before")
            }
            guard !urls.isEmpty else {
                printError("larder: there is no URL to request")
                throw AdminExit.failed
            }
            let fields = header.isEmpty ? nil : try header.map(FieldText.checked)
            let limits = WarmRun.Limits(concurrency: concurrency, rate: rate, fields: fields)
            let warming = try Warming(isJSON: admin.json, done: done)
            let signal = try await warming.run(WarmRun(client: client, limits: limits, form: form, urls: rest))
            if let signal { throw ExitCode(128 + signal.rawValue) }
            if warming.hasFailures || isIncomplete { throw AdminExit.failed }
        }
    }

    /// Reads the URLs.
    private func targets(_ form: TargetForm) async throws -> (urls: [String], isIncomplete: Bool) {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow, decompression: .disabled)
        configuration.timeout.connect = .seconds(10)
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let fetcher = SitemapFetcher(client, timeLimit: AdminOptions.timeout, hosts: sitemapHost)
        var text = try text()
        text.form = form
        var reader = TargetReader(text, format: type, fetcher: fetcher)
        let result: Result<Void, any Error>
        do {
            for source in sources { try await reader.read(source) }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try? await client.shutdown()
        for warning in reader.warnings { printError("larder: warning: \(warning)") }
        try result.get()
        var targets = reader.targets
        if targets.leftOut + reader.uncounted > 0 {
            let count = NumberText.grouped(TargetList.limit)
            printError("larder: warning: there are more than \(count) URLs: the others are left out")
        }
        if let limit { targets.limit(to: limit) }
        return (targets.urls, reader.isIncomplete)
    }
}
