import Larder
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

@testable import LarderGateway

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The bytes that wait for a slow client: first in memory, then in a file without a name.
@Suite(.timeLimit(.minutes(5))) struct SpoolTests {
    private let budget = InFlightBudget(limit: .mebibytes(4))
    private let record = LogRecord()

    private func space(message: Int = 1 << 20, disk: Int = 8 << 20, directory: String? = nil) -> SpoolSpace {
        var limits = SpoolSpace.Limits(message: message, disk: disk)
        if let directory { limits.directory = directory }
        return SpoolSpace(limits, memory: budget, logger: record.logger)
    }

    private static func part(_ number: Int, _ length: Int) -> ByteBuffer {
        ByteBuffer(bytes: (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) })
    }

    @Test func `Parts are read in order, up to the limit, and the room is given back`() async throws {
        let space = space()
        for length in [1, 1_000, 65_536, 100_000, 300_000] {
            let spool = Spool(space)
            var count = 0
            var expected = ByteBuffer()
            while await spool.offer(Self.part(count, length)) {
                expected.writeImmutableBuffer(Self.part(count, length))
                count += 1
                if length == 1, count == 5_000 { break }
            }
            #expect(length == 1 || count * length <= 1 << 20 && (count + 1) * length > 1 << 20)
            #expect(space.usedDisk > 0 || length == 1)
            spool.finish()
            var read = ByteBuffer()
            while let part = try await spool.next() { read.writeImmutableBuffer(part) }
            #expect(read == expected)
        }
        #expect(budget.used == 0 && space.usedDisk == 0)
    }

    @Test(arguments: 1...8) func `Reads and writes in any order lose nothing`(_ seed: UInt64) async throws {
        var random = SeededRandom(seed: seed)
        let space = space(message: 1 << 19)
        let spool = Spool(space)
        var (written, read) = (0, 0)
        var expected = ByteBuffer()
        for number in 0..<400 {
            let part = Self.part(number, .random(in: 1...60_000, using: &random))
            if await spool.offer(part) {
                expected.writeImmutableBuffer(part)
                written += part.readableBytes
            } else {
                #expect(written - read > 0, "An empty spool takes any part")
            }
            #expect(written - read <= 1 << 19)
            while read < written, Bool.random(using: &random) {
                let part = try #require(try await spool.next())
                #expect(part == expected.readSlice(length: part.readableBytes))
                read += part.readableBytes
            }
        }
        spool.finish()
        while let part = try await spool.next() {
            #expect(part == expected.readSlice(length: part.readableBytes))
        }
        #expect(expected.readableBytes == 0)
    }

    @Test func `An empty spool accepts a part larger than the limit`() async throws {
        for message in [0, 10] {
            let spool = Spool(space(message: message))
            #expect(await spool.offer(Self.part(1, 100)))
            #expect(!(await spool.offer(Self.part(2, 1))))
            #expect(try await spool.next()?.readableBytes == 100)
            #expect(await spool.offer(Self.part(2, 1)))
        }
    }

    @Test func `A writer without room waits for the reader, and a reader without parts for the writer`() async throws {
        let spool = Spool(space(message: 1_000))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for number in 0..<200 { try await spool.append(Self.part(number, 999)) }
                spool.finish()
            }
            for number in 0..<200 { #expect(try await spool.next() == Self.part(number, 999)) }
            #expect(try await spool.next() == nil)
            try await group.waitForAll()
        }
    }

    @Test func `Half of the memory is left to other bodies`() async throws {
        let space = space(message: 4 << 20)
        var spools: [Spool] = []
        for number in 0..<20 {
            let spool = Spool(space)
            spools.append(spool)
            for _ in 0..<3 { #expect(await spool.offer(Self.part(number, 100_000))) }
        }
        // The memory that each spool takes for its first part is added.
        #expect(budget.used <= budget.limit / 2 + 20 * 100_000)
        #expect(space.usedDisk > 0)
        spools.removeAll()
        #expect(budget.used == 0 && space.usedDisk == 0)
    }

    @Test func `Files leave nothing in the folder`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "spool-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let spool = Spool(space(directory: folder.path()))
        while await spool.offer(Self.part(0, 50_000)) {}
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path()).isEmpty)
        #expect(try await spool.next() == Self.part(0, 50_000))
    }

    @Test func `A folder that cannot be used is logged once, and makes writers wait`() async throws {
        let space = space(directory: "/nonexistent/folder")
        for _ in 0..<3 {
            let spool = Spool(space)
            for number in 0..<5 { #expect(await spool.offer(Self.part(number, 50_000))) }
            for _ in 0..<3 { #expect(!(await spool.offer(Self.part(5, 50_000)))) }
            for number in 0..<5 { #expect(try await spool.next() == Self.part(number, 50_000)) }
            #expect(await spool.offer(Self.part(5, 50_000)))
        }
        #expect(record.lines("Temporary files cannot be written").count == 1)
    }

    @Test func `All files together take no more than the space limit`() async throws {
        let space = space(disk: 1_500_000)
        let spools = (0..<4).map { _ in Spool(space) }
        var taken = 0
        for spool in spools { while await spool.offer(Self.part(0, 50_000)) { taken += 50_000 } }
        #expect(space.usedDisk <= 1_500_000 && space.usedDisk > 1_400_000)
        #expect(taken > 2_000_000)
        for spool in spools { #expect(try await spool.next() == Self.part(0, 50_000)) }
    }

    @Test func `The number of files does not exceed its limit`() async throws {
        var limits = SpoolSpace.Limits(message: 1 << 20, disk: 8 << 20)
        limits.files = 2
        let space = SpoolSpace(limits, memory: InFlightBudget(limit: .bytes(0)), logger: record.logger)
        var spools = (0..<3).map { _ in Spool(space) }
        for spool in spools { #expect(await spool.offer(Self.part(0, 10))) }
        for (place, spool) in spools.enumerated() { #expect(await spool.offer(Self.part(0, 10)) == (place < 2)) }
        spools.removeFirst()
        #expect(await spools[1].offer(Self.part(0, 10)))
    }

    @Test func `The reader of a message that broke off gets the parts before the error`() async throws {
        let spool = Spool(space())
        #expect(await spool.offer(Self.part(1, 10)))
        spool.fail(UpstreamError.responseTimeout)
        #expect(try await spool.next() == Self.part(1, 10))
        await #expect(throws: UpstreamError.responseTimeout) { try await spool.next() }
    }

    @Test func `Aborting a spool ends its reader and its writer at once`() async throws {
        let spool = Spool(space(message: 100))
        #expect(await spool.offer(Self.part(1, 100)))
        let writing = Task { try await spool.append(Self.part(2, 100)) }
        spool.abort(UpstreamError.responseTimeout)
        await #expect(throws: UpstreamError.responseTimeout) { try await writing.value }
        await #expect(throws: UpstreamError.responseTimeout) { try await spool.next() }
    }

    @Test func `A cancelled task stops waiting`() async throws {
        let spool = Spool(space(message: 100))
        let reading = Task { try await spool.next() }
        reading.cancel()
        await #expect(throws: CancellationError.self) { try await reading.value }
        #expect(await spool.offer(Self.part(1, 100)))
        let writing = Task { try await spool.append(Self.part(2, 100)) }
        writing.cancel()
        await #expect(throws: CancellationError.self) { try await writing.value }
    }
}
