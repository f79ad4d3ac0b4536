import Foundation
import HTTPCaching
import Larder
import TestHelpers
import Testing

@testable import LarderSimulation

/// The reading of bytes: pieces, lines, compressed files, files one after the other.
@Suite(.timeLimit(.minutes(5))) struct InputTests {
    private static func content(_ pieces: [[UInt8]]) throws -> [UInt8] {
        let source = DecompressedSource(ByteArraySource(pieces))
        var content: [UInt8] = []
        while let piece = try source.next() { content += piece }
        return content
    }

    private static func pieces(_ bytes: [UInt8], of size: Int) -> [[UInt8]] {
        stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
    }

    /// Contents that gzip stores, codes by fixed tables, and codes by tables of their own, longer than its window.
    private static let contents: [String: [UInt8]] = {
        var random = SeededGenerator(seed: 7)
        let noise = (0..<100_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        let words = (0..<60_000).flatMap { _ in Array("/path/\(Int.random(in: 0..<900, using: &random)) ".utf8) }
        return [
            "empty": [], "one byte": [65], "short": Array("abcabcabcabcabc\n".utf8), "noise": noise, "words": words,
            "run": Array(repeating: 120, count: 300_000),
        ]
    }()

    @Test(arguments: contents.keys.sorted(), ["-1", "-9"])
    func `What gzip has compressed is decompressed, in pieces of any size`(_ name: String, _ level: String) throws {
        let content = try #require(Self.contents[name])
        let compressed = try GzipFile.compressed(content, [level])
        #expect(try Self.content([compressed]) == content)
        for size in [1, 7, 4_096] { #expect(try Self.content(Self.pieces(compressed, of: size)) == content) }
        // Several members, as logs that are compressed one by one and joined, then padding.
        let twice = compressed + compressed + [0, 0, 0]
        #expect(try Self.content(Self.pieces(twice, of: 1_000)) == content + content)
        #expect(try Self.content(Self.pieces(content, of: 1_000)) == content, "it is not compressed")
    }

    @Test func `A stored block is decompressed`() throws {
        // RFC 1951 §3.2.4: the length, and its complement.
        let bytes: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1, 2, 0, 253, 255, 104, 105]
        let trailer: [UInt8] = [0xAC, 0x2A, 0x93, 0xD8, 2, 0, 0, 0]
        #expect(try Self.content([bytes + trailer]) == Array("hi".utf8))
        #expect(throws: GzipError.checksum) { try Self.content([bytes + [0, 0, 0, 0, 2, 0, 0, 0]]) }
        #expect(throws: GzipError.invalid) { try Self.content([Array(bytes[..<13]) + [0, 0, 104, 105] + trailer]) }
    }

    @Test func `Compressed data that is cut off or damaged is an error, and never traps`() throws {
        let words = try #require(Self.contents["words"]).prefix(20_000)
        let compressed = try GzipFile.compressed(Array(words))
        for length in stride(from: 2, to: compressed.count, by: 97) {
            #expect(throws: GzipError.truncated) { try Self.content([Array(compressed[..<length])]) }
        }
        var random = SeededGenerator(for: "damaged gzip")
        for _ in 0..<2_000 {
            var damaged = compressed
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                damaged[Int.random(in: 2..<damaged.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            // It may be an error or not, by the byte that was damaged: the header has bytes without a meaning.
            if let content = try? Self.content([damaged]) { #expect(content.count <= words.count) }
        }
    }

    @Test func `Lines end in LF or CRLF, and the last one needs no end`() throws {
        let text = "a\n\nbc\r\n\r\nd"
        for size in 1...12 {
            var reader = LineReader(ByteArraySource(Self.pieces(Array(text.utf8), of: size)))
            var lines: [String] = []
            while let line = try reader.next() {
                if case .text(let place) = line { lines.append(String(decoding: reader.bytes[place], as: UTF8.self)) }
            }
            #expect(lines == ["a", "", "bc", "", "d"])
        }
    }

    @Test func `A line that is too long is skipped without being held, and counted`() throws {
        let long = Array(repeating: UInt8(ascii: "x"), count: 3 * LineReader.lineLimit)
        let bytes = Array("1\n".utf8) + long + Array("\n2\n".utf8) + long
        for size in [1_000, 70_000, bytes.count] {
            var reader = LineReader(ByteArraySource(Self.pieces(bytes, of: size)))
            var lines: [String] = []
            while let line = try reader.next() {
                switch line {
                case .text(let place): lines.append(String(decoding: reader.bytes[place], as: UTF8.self))
                case .tooLong: lines.append("too long")
                }
                if size < LineReader.lineLimit { #expect(reader.bytes.count <= 2 * LineReader.lineLimit) }
            }
            #expect(lines == ["1", "too long", "2", "too long"])
        }
        var log = LogReader([.init(name: "f", source: ByteArraySource([bytes]))], options: ReadingOptions())
        #expect(try log.readAll().count == 2)
        #expect(log.totals.malformed == 2)
        #expect(log.totals.firstMalformed?.description == "f:2: it is longer than 64 KiB")
    }

    @Test func `Several files are one log, each in its own format, and malformed lines are counted`() throws {
        let files = [
            ("a", "time,key,size\n0,1,5\nbad\n1,1,5\n"),
            ("b", "\nh - - [06/Nov/1994:08:49:37 +0000] \"GET /1 HTTP/1.1\" 200 5\n\nx\n"), ("empty", "\n\n"),
        ]
        var log = LogReader(
            files.map { .init(name: $0, source: ByteArraySource([Array($1.utf8)])) },
            options: ReadingOptions()
        )
        try log.begin()
        #expect(log.content == .rows)
        #expect(try log.readAll().count == 3)
        #expect(log.formats == [.rows, .combined] && log.totals.malformed == 2)
        let first = log.totals.firstMalformed
        #expect(
            first?.description == "a:3: expected the columns time, key and size, such as 12.5,abc,1024, or a key alone"
        )
        #expect(first?.excerpt == "bad")
    }

    @Test func `A file without a readable line is an error that names the line and what was expected`() throws {
        var unknown = logReader("\n\nsome text\n")
        let message = """
            log:3: expected a line of the Common or Combined Log Format, of nginx, a JSON object, or a row \
            `time,key,size`, not some text
            """
        #expect(throws: UnknownFormat.self) { try unknown.readAll() }
        var again = logReader("\n\nsome text\n")
        do { _ = try again.readAll() } catch { #expect("\(error)" == message) }
        var wrong = logReader("1,2,3\n") { $0.format = .json }
        do { _ = try wrong.readAll() } catch { #expect("\(error)" == "log:1: expected one JSON object") }
        var control = logReader("\u{1B}[31m \u{7} é\n")
        do { _ = try control.readAll() } catch { #expect("\(error)".hasSuffix("not ?[31m ? ??"), "\(error)") }
        var empty = logReader("")
        #expect(try empty.readAll().isEmpty)
    }

    @Test func `Random bytes and random changes to good lines never trap`() throws {
        let lines = [
            #"h - - [06/Nov/1994:08:49:37 +0000] "GET /a%2e/..//b?c HTTP/1.1" 200 12 "-" "curl""#,
            #"{"ts":784111777.5e1,"request":{"method":"GET","uri":"/\u00e9\\"},"status":200,"size":1,"a":[{"b":[1]}]}"#,
            "12.5,key,1024",
        ].map { Array($0.utf8) }
        let special = Array(#"[]{}"'\/?%&,. -+eE0123456789"#.utf8)
        var random = SeededGenerator(for: "random lines")
        for round in 0..<4_000 {
            var bytes: [UInt8] = []
            for _ in 0..<3 {
                var line = lines.randomElement(using: &random) ?? []
                for _ in 0..<Int.random(in: 0...6, using: &random) {
                    let place = Int.random(in: 0..<line.count, using: &random)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: line[place] = special.randomElement(using: &random) ?? 0
                    case 1: line.insert(.random(in: 0...255, using: &random), at: place)
                    default: line.remove(at: place)
                    }
                    if line.isEmpty { line = [0] }
                }
                bytes += line + [0x0A]
            }
            if round % 4 == 0 { bytes = (0..<200).map { _ in .random(in: 0...255, using: &random) } }
            for format in [nil, LogFormat.common, .json, .rows] {
                var options = ReadingOptions()
                options.format = format
                options.ignoredParameters = ["c*"]
                var log = LogReader([.init(name: "f", source: ByteArraySource([bytes]))], options: options)
                let records = (try? log.readAll()) ?? []
                #expect(records.count <= bytes.count)
            }
        }
    }
}
