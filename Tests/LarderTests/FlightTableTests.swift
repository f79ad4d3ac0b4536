import HTTPCaching
import LarderTestSupport
import TestHelpers
import Testing

@testable import Larder

/// The table of flights and waiters (docs/invalidation.md, rules 6 and 7).
@Suite(.timeLimit(.minutes(5))) struct FlightTableTests {
    private static let epoch = LogVersion.Epoch.new()
    private static let timeout = Duration.seconds(5)
    private let start = Timestamp(secondsSinceEpoch: 1_800_000_000)

    private static func snapshot(_ version: UInt64 = 0, newest: UInt64 = 0, completion: UInt64 = 0) -> LookupSnapshot {
        LookupSnapshot(
            lookup: Lookup(entries: [], readVersion: LogVersion(epoch: epoch, number: version), newestVersion: newest),
            completion: completion
        )
    }

    private static func key(_ name: String = "/a", isDemand: Bool = false) -> FlightKey {
        FlightKey(key: CacheKey(legal: "GET:" + name), selecting: .none, isDemand: isDemand)
    }

    /// Returns the result of a flight with the read version `version`.
    /// - Parameters:
    ///   - isValid: True if the result was valid when it was compared with the log.
    ///   - seen: The version of the log at that comparison; `version` by default.
    private static func shared(_ version: UInt64, isValid: Bool = true, seen: UInt64? = nil) -> FlightCompletion {
        let checked = LogVersion(epoch: epoch, number: seen ?? version)
        return .shared(
            FlightOutcome(
                content: .failure(TestFailure("a result"), tags: []),
                readVersion: LogVersion(epoch: epoch, number: version),
                validity: Validity(isValid: isValid, checkedVersion: checked),
                answeredAt: .distantPast
            )
        )
    }

    /// Returns the same result as a failure that may be due to the leader's request.
    private static func failed(_ result: FlightCompletion) -> FlightCompletion {
        if case .shared(let outcome) = result { .failed(outcome) } else { result }
    }

    /// Describes in words the next step of each waiter that is resumed.
    private static func words(_ resumed: FlightTable<Int>.Resumed) -> [Int: String] {
        Dictionary(
            uniqueKeysWithValues: resumed.map { waiter, outcome in (waiter, outcome.map { words($0) } ?? "own flight") }
        )
    }

    private static func words(_ outcome: WaitOutcome) -> String {
        switch outcome {
        case .lead(let id): "lead \(id.value)"
        case .lookUpAgain(let id?): "look up and lead \(id.value)"
        case .lookUpAgain(nil): "look up again"
        case .fetchAlone: "fetch alone"
        case .completed: "completed"
        case .softTimeout: "soft timeout"
        case .cancelled: "cancelled"
        }
    }

    /// Creates a table that picks the waiter that joined last to lead after a failure.
    private func table() -> SharedTable {
        SharedTable(FlightTable(flightLimit: 100, waiterLimit: 100, completionLimit: 8, pick: { $0 - 1 }))
    }

    /// Makes a waiter join, and describes its next step in words; "wait" if it has none yet.
    @discardableResult
    private func join(
        _ table: SharedTable,
        _ waiter: Int,
        _ key: FlightKey = key(),
        _ snapshot: LookupSnapshot = snapshot(),
        after seconds: Int = 0
    ) -> String {
        let now = start.advanced(by: .seconds(seconds))
        defer { table.validate() }
        let outcome = table.join(key, snapshot, at: now, timeout: Self.timeout, as: (UInt64(waiter), waiter))
        return outcome.map { Self.words($0) } ?? "wait"
    }

    @Test func `A waiter whose look-up saw an invalidation during the flight is not answered by the flight`() {
        let table = table()
        #expect(join(table, 0) == "lead 1")
        // The look-up was before the write, so the request may have a response that was rendered before it.
        #expect(join(table, 1) == "wait")
        // The look-up was after a write to something else.
        #expect(join(table, 2, Self.key(), Self.snapshot(1)) == "wait")
        // The look-up was after a write to this very path.
        #expect(join(table, 3, Self.key(), Self.snapshot(2, newest: 2)) == "lead 2")
        let resumed = table.complete(FlightID(value: 1), Self.shared(0, isValid: false, seen: 2), at: start)
        #expect(Self.words(resumed) == [1: "completed"])
        #expect(Self.words(table.complete(FlightID(value: 2), Self.shared(2), at: start)) == [2: "completed"])
        table.validate()
    }

    @Test func `A failure that may be due to the leader's request is shared once another waiter has met it as well`() {
        let table = table()
        for waiter in 0..<4 { join(table, waiter) }
        let failure = Self.failed(Self.shared(0))
        #expect(Self.words(table.complete(FlightID(value: 1), failure, at: start)) == [3: "look up and lead 2"])
        table.start(FlightID(value: 2), Self.snapshot().lookup)
        #expect(join(table, 4) == "wait")
        let resumed = Self.words(table.complete(FlightID(value: 2), failure, at: start))
        #expect(resumed == [1: "completed", 2: "completed", 4: "completed"])
        table.validate()
    }

    @Test func `A success after a failure answers all waiters, and a later failure is not shared at once either`() {
        let table = table()
        for waiter in 0..<3 { join(table, waiter) }
        let failure = Self.failed(Self.shared(0))
        #expect(Self.words(table.complete(FlightID(value: 1), failure, at: start)) == [2: "look up and lead 2"])
        table.start(FlightID(value: 2), Self.snapshot().lookup)
        #expect(Self.words(table.complete(FlightID(value: 2), Self.shared(0), at: start)) == [1: "completed"])
        #expect(join(table, 5) == "lead 3")
        #expect(join(table, 6) == "wait")
        #expect(Self.words(table.complete(FlightID(value: 3), failure, at: start)) == [6: "look up and lead 4"])
        table.start(FlightID(value: 4), Self.snapshot().lookup)
        #expect(table.complete(FlightID(value: 4), failure, at: start).isEmpty)
        table.validate()
    }

    @Test func `After a failure the waiters wait for another flight that is under way`() {
        let table = table()
        join(table, 0)
        join(table, 1)
        #expect(
            Self.words(table.overdue(Self.key(), at: start.advanced(by: .seconds(5)), timeout: Self.timeout))
                == [1: "look up and lead 2"]
        )
        #expect(join(table, 2, after: 6) == "wait")
        let failure = Self.failed(Self.shared(0))
        #expect(table.complete(FlightID(value: 1), failure, at: start).isEmpty)
        table.start(FlightID(value: 2), Self.snapshot().lookup)
        #expect(Self.words(table.complete(FlightID(value: 2), Self.shared(0), at: start)) == [2: "completed"])
        table.validate()
    }

    @Test func `A result that was checked at a lower version than the waiter's look-up does not answer it`() {
        let table = table()
        join(table, 0)
        join(table, 1, Self.key(), Self.snapshot(7))
        join(table, 2, Self.key(), Self.snapshot(8))
        let resumed = table.complete(FlightID(value: 1), Self.shared(0, seen: 7), at: start)
        #expect(Self.words(resumed) == [1: "completed", 2: "look up and lead 2"])
    }

    @Test func `One flight starts per coalescing timeout, and any of them answers all waiters`() {
        let table = table()
        join(table, 0)
        for waiter in 1..<10 { join(table, waiter, after: 1) }
        #expect(table.overdue(Self.key(), at: start.advanced(by: .seconds(4)), timeout: Self.timeout).isEmpty)
        let first = table.overdue(Self.key(), at: start.advanced(by: .seconds(5)), timeout: Self.timeout)
        #expect(Self.words(first) == [1: "look up and lead 2"])
        #expect(join(table, 10, after: 9) == "wait")
        // No other flight starts within the next five seconds; then one starts for a new request or for a waiter.
        #expect(table.overdue(Self.key(), at: start.advanced(by: .seconds(9)), timeout: Self.timeout).isEmpty)
        #expect(join(table, 11, after: 10) == "lead 3")
        #expect(table.count == 3)
        let resumed = table.complete(FlightID(value: 1), Self.shared(0), at: start.advanced(by: .seconds(12)))
        #expect(resumed.count == 9)
        #expect(Set(Self.words(resumed).values) == ["completed"])
        table.validate()
    }

    @Test func `A leader that started later gets the result of an earlier flight`() {
        let table = table()
        join(table, 0)
        join(table, 1, after: 1)
        _ = table.overdue(Self.key(), at: start.advanced(by: .seconds(5)), timeout: Self.timeout)
        table.start(FlightID(value: 2), Self.snapshot().lookup)
        table.watch(FlightID(value: 2), Self.snapshot().lookup, as: (101, 101))
        #expect(table.waiterCount == 0)
        let resumed = table.complete(FlightID(value: 1), Self.shared(0), at: start)
        #expect(Self.words(resumed) == [101: "completed"])
        #expect(table.complete(FlightID(value: 2), Self.shared(0), at: start).isEmpty)
        table.validate()
    }

    @Test func `The end of a leader's own flight takes the leader from the waiters, without a result`() {
        let table = table()
        join(table, 0)
        join(table, 1, after: 6)
        table.watch(FlightID(value: 2), Self.snapshot().lookup, as: (101, 101))
        #expect(Self.words(table.complete(FlightID(value: 2), Self.shared(0), at: start)) == [101: "own flight"])
    }

    @Test func `The first leader gets the result of a later flight`() {
        let table = table()
        join(table, 0)
        table.watch(FlightID(value: 1), Self.snapshot().lookup, as: (100, 100))
        join(table, 1, after: 6)
        #expect(Self.words(table.complete(FlightID(value: 2), Self.shared(0), at: start)) == [100: "completed"])
    }

    @Test func `A leader that demands a newer response does not get the result of an earlier flight`() {
        let table = table()
        let key = Self.key(isDemand: true)
        join(table, 0, key)
        #expect(join(table, 1, key, after: 6) == "lead 2")
        table.watch(FlightID(value: 2), Self.snapshot().lookup, as: (101, 101))
        #expect(table.complete(FlightID(value: 1), Self.shared(0), at: start).isEmpty)
        #expect(Self.words(table.complete(FlightID(value: 2), Self.shared(0), at: start)) == [101: "own flight"])
    }

    @Test func `Beyond the limit of flights waiters continue to wait for the one under way`() {
        let table = SharedTable(FlightTable(flightLimit: 1, waiterLimit: 100, completionLimit: 8))
        join(table, 0)
        for waiter in 1..<10 { join(table, waiter) }
        let late = start.advanced(by: .seconds(5))
        #expect(table.overdue(Self.key(), at: late, timeout: Self.timeout).isEmpty)
        #expect(join(table, 10, after: 11) == "wait")
        #expect(join(table, 11, Self.key("/b"), after: 11) == "fetch alone")
        #expect(table.complete(FlightID(value: 1), Self.shared(0), at: late).count == 10)
    }

    @Test func `A request that may not lead waits for a flight under way, and otherwise fetches alone`() {
        let table = table()
        func join(_ id: Int) -> WaitOutcome? {
            table.join(
                Self.key(),
                Self.snapshot(),
                at: start,
                timeout: Self.timeout,
                mayLead: false,
                as: (UInt64(id), id)
            )
        }
        if case .fetchAlone = join(0) {} else { Issue.record("it leads") }
        self.join(table, 1)
        if join(2) != nil { Issue.record("it does not wait") }
    }

    @Test func `A request whose soft timeout is over since the start of the newest flight does not wait`() {
        let table = table()
        self.join(table, 0)
        func join(after seconds: Int, _ softTimeout: Duration) -> String {
            let now = start.advanced(by: .seconds(seconds))
            let outcome = table.join(
                Self.key(),
                Self.snapshot(),
                at: now,
                timeout: Self.timeout,
                softTimeout: softTimeout,
                as: (UInt64(seconds) + 1, seconds)
            )
            return outcome.map { Self.words($0) } ?? "wait"
        }
        #expect(join(after: 1, .seconds(2)) == "wait")
        #expect(join(after: 2, .seconds(2)) == "soft timeout")
        #expect(join(after: 3, .zero) == "soft timeout")
        #expect(table.waiterCount == 1)
    }

    @Test func `A flight awaits confirmation while a request waits, and until another flight has failed`() {
        let table = table()
        join(table, 0)
        #expect(!table.awaitsConfirmation(FlightID(value: 1)))
        for waiter in 1..<4 { join(table, waiter) }
        #expect(table.awaitsConfirmation(FlightID(value: 1)))
        _ = table.complete(FlightID(value: 1), Self.failed(Self.shared(0)), at: start)
        #expect(!table.awaitsConfirmation(FlightID(value: 2)))
        table.start(FlightID(value: 2), Self.snapshot().lookup)
        _ = table.complete(FlightID(value: 2), Self.shared(0), at: start)
        #expect(table.count == 0)
    }

    @Test func `A result that can never be shared releases all waiters at once`() {
        let table = table()
        join(table, 0)
        for waiter in 1..<10 { join(table, waiter) }
        let resumed = table.release(FlightID(value: 1), .unsharable, at: start)
        #expect(resumed.count == 9 && Set(Self.words(resumed).values) == ["fetch alone"])
        #expect(table.complete(FlightID(value: 1), .unsharable, at: start).isEmpty && table.count == 0)
    }

    @Test func `Waiters that have to fetch for themselves do so in steps of 1, 2, 4 and 8`() {
        let table = table()
        join(table, 0)
        for waiter in 1..<20 { join(table, waiter) }
        var leading = [FlightID(value: 1)]
        var steps: [Int] = []
        while !leading.isEmpty {
            var next: [FlightID] = []
            for (place, id) in leading.enumerated() {
                let resumed = table.complete(id, .leaderOnly, at: start)
                // The next step begins when the last flight of this one is over.
                #expect(place == leading.count - 1 || resumed.isEmpty)
                for case (_, .lookUpAgain(let id?)) in resumed { next.append(id) }
                table.validate()
            }
            if !next.isEmpty { steps.append(next.count) }
            leading = next
        }
        #expect(steps == [1, 2, 4, 8, 4])
        #expect(table.count == 0 && table.waiterCount == 0)
    }

    @Test func `Requests that demand a newer response share the flight that starts after they arrived`() {
        let table = table()
        let key = Self.key(isDemand: true)
        #expect(join(table, 0, key) == "lead 1")
        for waiter in 1..<5 { #expect(join(table, waiter, key) == "wait") }
        // The first flight started before they arrived.
        #expect(Self.words(table.complete(FlightID(value: 1), Self.shared(0), at: start)) == [1: "look up and lead 2"])
        // Its leader is still looking up: the origin is asked after this request arrived.
        #expect(join(table, 5, key) == "wait")
        table.start(FlightID(value: 2), Self.snapshot().lookup)
        #expect(join(table, 8, key) == "wait")
        let resumed = table.complete(FlightID(value: 2), Self.shared(0), at: start)
        #expect(
            Self.words(resumed) == [
                2: "completed", 3: "completed", 4: "completed", 5: "completed", 8: "look up and lead 3",
            ]
        )
        table.start(FlightID(value: 3), Self.snapshot().lookup)
        #expect(table.complete(FlightID(value: 3), Self.shared(0), at: start).isEmpty)
        // They do not share flights with requests that take a response that was fetched already.
        #expect(join(table, 6) == "lead 4")
        #expect(join(table, 7, key) == "lead 5")
    }

    @Test func `A leader that did not fetch after all makes the waiters look up again`() {
        let table = table()
        join(table, 0)
        for waiter in 1..<4 { join(table, waiter) }
        let resumed = table.complete(FlightID(value: 1), .abandoned, at: start)
        #expect(Self.words(resumed) == [1: "look up again", 2: "look up again", 3: "look up again"])
    }

    @Test func `The end of an older flight leaves a newer one of the same key joinable`() {
        let table = table()
        join(table, 0)
        #expect(join(table, 1, Self.key(), Self.snapshot(1, newest: 1)) == "lead 2")
        _ = table.release(FlightID(value: 1), .unsharable, at: start)
        _ = table.complete(FlightID(value: 1), .unsharable, at: start)
        #expect(join(table, 2, Self.key(), Self.snapshot(1, newest: 1)) == "wait")
    }

    @Test func `A request beyond the limits of waiters or of flights fetches alone`() {
        let table = SharedTable(FlightTable(flightLimit: 2, waiterLimit: 2, completionLimit: 8))
        #expect(join(table, 0) == "lead 1")
        #expect(join(table, 1) == "wait")
        #expect(join(table, 2) == "wait")
        #expect(join(table, 3) == "fetch alone")
        #expect(join(table, 4, Self.key("/b")) == "lead 2")
        #expect(join(table, 5, Self.key("/c")) == "fetch alone")
        // Another request can wait in the place of a waiter that gave up.
        #expect(table.leave(2, Self.key()) == 2)
        #expect(join(table, 6) == "wait")
    }

    @Test func `A request whose look-up has another epoch does not join`() {
        let table = table()
        #expect(join(table, 0) == "lead 1")
        let other = LookupSnapshot(
            lookup: Lookup(entries: [], readVersion: LogVersion(epoch: .new(), number: 0), newestVersion: 0),
            completion: .max
        )
        #expect(join(table, 1, Self.key(), other) == "lead 2")
    }

    @Test func `The end of a flight is remembered for as many flights as the limit says`() {
        let table = table()
        func complete(_ waiter: Int, _ name: String) {
            let words = join(table, waiter, Self.key(name), Self.snapshot(completion: .max))
            guard let id = UInt64(words.dropFirst(5)) else {
                Issue.record("\(words) is not a flight")
                return
            }
            #expect(table.complete(FlightID(value: id), Self.stored, at: start).isEmpty)
        }
        complete(0, "/a")
        #expect(join(table, 1, Self.key("/a"), Self.snapshot(completion: 0)) == "look up again")
        for other in 1..<8 { complete(1 + other, "/\(other)") }
        #expect(join(table, 20, Self.key("/a"), Self.snapshot(completion: 0)) == "look up again")
        // The look-up was after the end of that flight, so that it has seen the stored response.
        #expect(join(table, 21, Self.key("/1"), Self.snapshot(completion: 2)).hasPrefix("lead"))
        complete(30, "/8")
        #expect(join(table, 22, Self.key("/a"), Self.snapshot(completion: 0)).hasPrefix("lead"))
        #expect(join(table, 23, Self.key("/2"), Self.snapshot(completion: 0)) == "look up again")
        #expect(join(table, 24, Self.key("/8"), Self.snapshot(completion: 8)) == "look up again")
        // The result of an earlier flight does not answer a request that demands a newer response.
        #expect(join(table, 25, Self.key("/8", isDemand: true), Self.snapshot(completion: 8)).hasPrefix("lead"))
    }

    /// The snapshot of a request whose look-up did not reach the log.
    private static let unknown = LookupSnapshot(
        lookup: .unknown(at: LogVersion(epoch: .new(), number: 0)),
        completion: .max
    )

    @Test func `Joined too late: A request that does not know the log waits for a fetch that starts later`() {
        let table = table()
        #expect(join(table, 0, Self.key(), Self.unknown) == "lead 1")
        for waiter in 1...3 { #expect(join(table, waiter, Self.key(), Self.unknown) == "wait") }
        // The request has the same version as the flight, but it is not the log's, so it says nothing.
        let version = Self.unknown.lookup.readVersion
        let result = FlightCompletion.shared(
            FlightOutcome(
                content: .failure(TestFailure("a result"), tags: []),
                readVersion: version,
                validity: .unknown(at: version),
                answeredAt: .distantPast
            )
        )
        #expect(Self.words(table.complete(FlightID(value: 1), result, at: start)) == [1: "look up and lead 2"])
        #expect(join(table, 4, Self.key(), Self.unknown) == "wait")
        table.start(FlightID(value: 2), Self.unknown.lookup)
        #expect(join(table, 5, Self.key(), Self.unknown) == "wait")
        let resumed = table.complete(FlightID(value: 2), result, at: start)
        #expect(Self.words(resumed) == [2: "completed", 3: "completed", 4: "completed", 5: "look up and lead 3"])
    }

    @Test func `Joined too late: Requests that know the log and requests that do not are not coalesced`() {
        let table = table()
        #expect(join(table, 0, Self.key(), Self.unknown) == "lead 1")
        #expect(join(table, 1) == "lead 2")
        #expect(join(table, 2, Self.key(), Self.unknown) == "wait")
        #expect(join(table, 3) == "wait")
        #expect(Self.words(table.complete(FlightID(value: 2), Self.shared(0), at: start)) == [3: "completed"])
        _ = table.complete(FlightID(value: 1), .abandoned, at: start)
        // A flight that starts later is for all waiters.
        #expect(join(table, 4) == "lead 3")
        #expect(join(table, 5) == "wait")
        #expect(join(table, 6, Self.key(), Self.unknown, after: 6) == "lead 4")
        let resumed = table.complete(FlightID(value: 4), Self.shared(0, isValid: false, seen: 9), at: start)
        #expect(Self.words(resumed) == [5: "completed"])
    }

    /// The result of a flight whose response was stored.
    private static var stored: FlightCompletion {
        let readVersion = LogVersion(epoch: epoch, number: 0)
        let now = Timestamp(secondsSinceEpoch: 1_800_000_000)
        let location = EntryLocation(key: CacheKey(legal: "GET:/a"), target: "/a")
        let entry = CacheEntry.sample("v", at: location, readVersion: readVersion, now: now)
        return .shared(
            FlightOutcome(
                content: .entry(entry, .fetched(status: 200, nil)),
                readVersion: readVersion,
                validity: Validity(isValid: true, checkedVersion: readVersion),
                answeredAt: now
            )
        )
    }

    @Test(arguments: [11, 12, 13, 14] as [UInt64])
    func `Every waiter is resumed once, and only with a result that it may have`(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let table = SharedTable(FlightTable(flightLimit: 6, waiterLimit: 5, completionLimit: 8))
        var version: UInt64 = 0
        var now = start
        var underWay: [FlightID: UInt64] = [:]
        var startedAt: [FlightKey: Timestamp] = [:]
        var waiting: [Int: (key: FlightKey, version: UInt64, joined: UInt64)] = [:]
        var lastID: UInt64 = 0
        func begun(_ id: FlightID, _ key: FlightKey) {
            #expect(id.value == lastID + 1, "seed \(seed)")
            lastID = id.value
            startedAt[key] = now
        }
        func check(_ resumed: FlightTable<Int>.Resumed, _ result: FlightCompletion, of flight: FlightID?) {
            for (waiter, outcome) in resumed {
                guard let known = waiting.removeValue(forKey: waiter) else {
                    Issue.record("waiter \(waiter) was resumed twice, seed \(seed)")
                    continue
                }
                switch outcome {
                case .completed(let outcome):
                    #expect(
                        outcome.mayServe(lookupAt: LogVersion(epoch: Self.epoch, number: known.version)),
                        "seed \(seed)"
                    )
                    #expect(!known.key.isDemand || flight.map { $0.value > known.joined } == true, "seed \(seed)")
                case .lookUpAgain(let id?):
                    begun(id, known.key)
                    table.start(id, Self.snapshot(version).lookup)
                    underWay[id] = version
                case .fetchAlone, .lookUpAgain(nil): break
                case .lead, .softTimeout, .cancelled: Issue.record("no outcome of a completion, seed \(seed)")
                case nil: Issue.record("no request leads and waits here, seed \(seed)")
                }
            }
        }
        for step in 0..<8_000 {
            let key = Self.key("/\(Int.random(in: 0..<4, using: &random))", isDemand: .random(using: &random))
            switch Int.random(in: 0..<12, using: &random) {
            case 0..<6:
                let newest = UInt64.random(in: 0...version, using: &random)
                let snapshot = Self.snapshot(version, newest: newest, completion: .max)
                switch table.join(key, snapshot, at: now, timeout: Self.timeout, as: (UInt64(step), step)) {
                case .lead(let id):
                    begun(id, key)
                    underWay[id] = version
                case nil:
                    let since = try #require(startedAt[key])
                    let isEarly = now < since.advanced(by: Self.timeout)
                    #expect(isEarly || underWay.count == 6, "seed \(seed)")
                    #expect(
                        table.timeLeft(key, at: now, timeout: .seconds(86_400))
                            == since.advanced(by: .seconds(86_400)).duration(since: now),
                        "seed \(seed)"
                    )
                    waiting[step] = (key, version, lastID)
                case .fetchAlone: #expect(underWay.count == 6 || waiting.count >= 5, "seed \(seed)")
                case .completed, .lookUpAgain, .softTimeout, .cancelled:
                    Issue.record("nothing is stored here, seed \(seed)")
                }
            case 6: version += 1
            case 7: now = now.advanced(by: .milliseconds(.random(in: 0...4_000, using: &random)))
            case 8:
                guard let (waiter, known) = waiting.randomElement(using: &random) else { break }
                #expect(table.leave(UInt64(waiter), known.key) == waiter, "seed \(seed)")
                waiting[waiter] = nil
            case 9:
                let isDue = startedAt[key].map { now >= $0.advanced(by: Self.timeout) } == true
                check(table.overdue(key, at: now, timeout: Self.timeout), .abandoned, of: nil)
                if isDue { startedAt[key] = now }
            default:
                guard let (id, read) = underWay.randomElement(using: &random) else { break }
                let seen = UInt64.random(in: read...version, using: &random)
                let shared = Self.shared(read, isValid: .random(using: &random), seen: seen)
                let results: [FlightCompletion] = [
                    shared, .unsharable, .leaderOnly, .abandoned, Self.failed(shared),
                ]
                let result = results[Int.random(in: 0..<5, using: &random)]
                underWay[id] = nil
                check(table.complete(id, result, at: now), result, of: id)
            }
            table.validate()
            #expect(table.count == underWay.count && table.waiterCount == waiting.count, "seed \(seed)")
        }
    }

    /// Requests and flights run while other processes write: every write is in the log, and some look-ups do not reach
    /// it.
    @Test(arguments: [21, 22, 23, 24] as [UInt64])
    func `A request never gets a response from before a write that was acknowledged before it arrived`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let table = SharedTable(FlightTable(flightLimit: 8, waiterLimit: 8, completionLimit: 8))
        var version: UInt64 = 0
        /// The version of the last write to each key.
        var written: [FlightKey: UInt64] = [:]
        /// The log's version when the origin was asked, and the look-up of the leader, which may not know it.
        var underWay: [FlightID: (key: FlightKey, askedAt: UInt64, lookup: Lookup)] = [:]
        /// The version of the last write that a request has to see.
        var waiting: [Int: UInt64] = [:]
        var shared = 0
        func lookup(_ key: FlightKey) -> Lookup {
            Int.random(in: 0..<3, using: &random) == 0
                ? Self.unknown.lookup
                : Self.snapshot(version, newest: written[key] ?? 0).lookup
        }
        func check(_ resumed: FlightTable<Int>.Resumed, _ completed: (key: FlightKey, askedAt: UInt64, lookup: Lookup)?)
        {
            for (waiter, outcome) in resumed {
                let mustSee = waiting.removeValue(forKey: waiter)
                switch outcome {
                case .completed:
                    guard let completed, let mustSee else {
                        Issue.record("a waiter that does not wait was resumed, seed \(seed)")
                        continue
                    }
                    #expect(completed.askedAt >= mustSee, "seed \(seed)")
                    shared += 1
                case .lookUpAgain(let id?):
                    guard let key = table.key(of: id) else { continue }
                    underWay[id] = (key, version, lookup(key))
                    table.start(id, underWay[id]?.lookup ?? Self.unknown.lookup)
                case .fetchAlone, .lookUpAgain(nil), .lead, .softTimeout, .cancelled, nil: break
                }
            }
        }
        for step in 0..<8_000 {
            let key = Self.key("/\(Int.random(in: 0..<2, using: &random))")
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let mustSee = written[key] ?? 0
                let found = lookup(key)
                // Another process writes between the look-up and its use.
                if Int.random(in: 0..<10, using: &random) == 0 {
                    version += 1
                    written[key] = version
                }
                let snapshot = LookupSnapshot(lookup: found, completion: .max)
                switch table.join(key, snapshot, at: start, timeout: Self.timeout, as: (UInt64(step), step)) {
                case .lead(let id): underWay[id] = (key, version, found)
                case nil: waiting[step] = mustSee
                default: break
                }
            case 6:
                version += 1
                if Bool.random(using: &random) { written[key] = version }
            default:
                guard let (id, completed) = underWay.randomElement(using: &random) else { break }
                underWay[id] = nil
                let isKnown = completed.lookup.isKnown && Int.random(in: 0..<4, using: &random) > 0
                let isValid = completed.lookup.readVersion.number >= written[completed.key] ?? 0
                let result = FlightCompletion.shared(
                    FlightOutcome(
                        content: .failure(TestFailure("a result"), tags: []),
                        readVersion: completed.lookup.readVersion,
                        validity: isKnown
                            ? Validity(isValid: isValid, checkedVersion: LogVersion(epoch: Self.epoch, number: version))
                            : .unknown(at: Self.unknown.lookup.readVersion),
                        answeredAt: .distantPast
                    )
                )
                check(table.complete(id, result, at: start), completed)
            }
            table.validate()
        }
        // The test proves nothing if no result is shared.
        #expect(shared > 500, "seed \(seed)")
    }
}

/// A table that can be changed within an expectation.
private final class SharedTable {
    private var table: FlightTable<Int>

    init(_ table: FlightTable<Int>) { self.table = table }

    var count: Int { table.count }
    var waiterCount: Int { table.waiterCount }

    func join(
        _ key: FlightKey,
        _ snapshot: LookupSnapshot,
        at now: Timestamp,
        timeout: Duration,
        softTimeout: Duration? = nil,
        mayLead: Bool = true,
        as waiter: (id: UInt64, waiter: Int)
    ) -> WaitOutcome? {
        table.join(
            key,
            snapshot,
            at: now,
            timeout: timeout,
            softTimeout: softTimeout,
            mayLead: mayLead,
            as: waiter
        )
    }

    func awaitsConfirmation(_ id: FlightID) -> Bool { table.awaitsConfirmation(id) }

    func timeLeft(_ key: FlightKey, at now: Timestamp, timeout: Duration) -> Duration? {
        table.timeLeft(key, at: now, timeout: timeout)
    }

    func start(_ id: FlightID, _ lookup: Lookup) { table.start(id, lookup) }

    func watch(_ id: FlightID, _ lookup: Lookup, as waiter: (id: UInt64, waiter: Int)) {
        table.watch(id, lookup, as: waiter)
    }

    func leave(_ waiter: UInt64, _ key: FlightKey) -> Int? { table.leave(waiter, key) }

    func release(_ id: FlightID, _ result: FlightCompletion, at now: Timestamp) -> FlightTable<Int>.Resumed {
        table.release(id, result, at: now)
    }

    func complete(_ id: FlightID, _ result: FlightCompletion, at now: Timestamp) -> FlightTable<Int>.Resumed {
        table.complete(id, result, at: now)
    }

    func overdue(_ key: FlightKey, at now: Timestamp, timeout: Duration) -> FlightTable<Int>.Resumed {
        table.overdue(key, at: now, timeout: timeout)
    }

    func key(of id: FlightID) -> FlightKey? { table.key(of: id) }

    func validate() { table.validate() }
}
