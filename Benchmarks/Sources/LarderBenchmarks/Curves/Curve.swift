/// The cost of a hit for several values of one quantity.
struct Curve {
    /// The quantity, such as `entries`.
    let quantity: String
    let points: [Point]
    /// The reason why the cost grows, if it does.
    let reason: String
    /// The reason why the cost falls, if it may.
    var reasonToFall: String?

    struct Point {
        /// The value of the quantity as it is shown.
        let label: String
        var options: [String] = []
        /// True if the server works without requests too; this processor time is subtracted.
        var hasBackgroundWork = false
        var loops = 1
        var connections = 32
        /// The paths that are requested in turn.
        var paths = ["/s/40"]
        var size = 40
    }

    /// The curves without the largest numbers of entries, which need memory.
    static func all(entries: [Int]) -> [Curve] {
        [
            Curve(
                quantity: "entries",
                points: entries.map { count in
                    Point(
                        label: Figure.count(Double(count)),
                        options: ["--entries", "\(count)"],
                        paths: paths(to: count)
                    )
                },
                reason:
                    "The URLs are requested in turn, so the entry that is needed next is the one used least recently. "
                    + "Where not all small entries are there as objects (256 KiB for each lock, or a 32nd of the "
                    + "store), each is unpacked and its response encoded for each request."
            ),
            Curve(
                quantity: "body size",
                points: [
                    (40, "40 B"), (1 << 10, "1 KiB"), (1 << 14, "16 KiB"), (1 << 18, "256 KiB"), (1 << 20, "1 MiB"),
                ]
                .map { Point(label: $1, paths: ["/s/\($0)"], size: $0) },
                reason: "The kernel copies every byte into the connection."
            ),
            Curve(
                quantity: "connections",
                points: [1, 16, 256, 1_024, 4_096].map { Point(label: Figure.count(Double($0)), connections: $0) },
                reason: "The memory of thousands of connections is not in the processor's caches.",
                reasonToFall:
                    "With one connection the server waits for each request, and is woken up for it. With more "
                    + "it reads several requests each time."
            ),
            Curve(
                quantity: "tags of an entry",
                points: [0, 10, 100, 1_000].map { Point(label: Figure.count(Double($0)), paths: ["/t/\($0)"]) },
                reason: "Fields that list tags are sent with each response."
            ),
            Curve(
                quantity: "invalidations per second",
                points: [0, 100, 1_000, 10_000].map {
                    Point(
                        label: Figure.count(Double($0)),
                        options: ["--invalidations", "\($0)"],
                        hasBackgroundWork: $0 > 0
                    )
                },
                reason:
                    "The processor time that the invalidations take without requests is not part of the cost. What remains "
                    + "is that they and the hits displace one another from the core and its caches."
            ),
            Curve(
                quantity: "length of the URL",
                points: [10, 100, 500, 2_000, 8_000].map { length in
                    let path = "/k/" + String(repeating: "k", count: length - 3)
                    return Point(label: "\(Figure.count(Double(length))) B", paths: [path])
                },
                reason:
                    "The bytes of responses are remembered for requests with heads of up to 4 KiB. For a longer one the "
                    + "request is parsed and the response encoded again, and a key of more than 512 bytes is hashed."
            ),
            Curve(
                quantity: "event loops",
                points: [1, 2].map {
                    Point(label: "\($0)", options: ["--loops", "\($0)"], loops: $0, connections: 64)
                },
                reason: "The second loop shares its core with the client of this measurement."
            ),
        ]
    }

    /// Returns the paths of up to 100,000 entries, in an order in which neighbours do not follow one another.
    private static func paths(to count: Int) -> [String] {
        let step = max(1, count / 100_000)
        // A prime that divides no power of 10 visits every number once.
        return (0..<min(count, 100_000)).map { "/e/\($0 &* step &* 7_919 % count)" }
    }
}
