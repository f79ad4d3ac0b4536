import RedisClient
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct RedisConfigurationTests {
    private typealias Endpoint = RedisConfiguration.Endpoint

    static let addresses: [(url: String, endpoint: RedisConfiguration.Endpoint, database: Int)] = [
        ("redis://127.0.0.1:6379", .host("127.0.0.1", port: 6379), 0),
        ("redis://cache.example", .host("cache.example", port: 6379), 0),
        ("REDIS://cache.example:1/", .host("cache.example", port: 1), 0),
        ("redis://cache.example/7", .host("cache.example", port: 6379), 7),
        ("redis://cache.example?db=7", .host("cache.example", port: 6379), 7),
        ("redis://cache.example:65535/?db=7", .host("cache.example", port: 65535), 7),
        ("redis://[::1]:7000/2", .host("::1", port: 7000), 2),
        ("redis://[fe80::1%25eth0]", .host("fe80::1%eth0", port: 6379), 0),
        ("rediss://cache.example", .host("cache.example", port: 6379), 0),
        ("unix:///run/redis.sock", .unixSocket(path: "/run/redis.sock"), 0),
        ("redis+unix:///run/a%20b.sock?db=3", .unixSocket(path: "/run/a b.sock"), 3),
        ("unix://:secret@/run/a@b.sock", .unixSocket(path: "/run/a@b.sock"), 0),
    ]

    @Test(arguments: addresses)
    func `An address is parsed into endpoint, database and TLS`(
        url: String,
        endpoint: RedisConfiguration.Endpoint,
        database: Int
    ) throws {
        let configuration = try RedisConfiguration(url: url)
        #expect(configuration.endpoint == endpoint)
        #expect(configuration.database == database)
        #expect((configuration.tls != nil) == url.hasPrefix("rediss"))
    }

    @Test(
        arguments: [
            ("redis://h", nil), ("redis://:pw@h", .init(user: "default", password: "pw")),
            ("redis://ada:p%40%3a%2Fw@h", .init(user: "ada", password: "p@:/w")),
            ("redis://ada:p@w:x@h", .init(user: "ada", password: "p@w:x")),
            ("redis://%61da:@h", .init(user: "ada", password: "")),
        ] as [(String, RedisConfiguration.Credentials?)]
    )
    func `User and password are percent-decoded`(url: String, credentials: RedisConfiguration.Credentials?) throws {
        #expect(try RedisConfiguration(url: url).credentials == credentials)
    }

    static let invalid: [(url: String, reason: String)] = [
        ("", "no scheme"),
        ("cache.example:6379", "no scheme"),
        ("http://cache.example", "scheme is not redis"),
        ("redis://", "no host"),
        ("redis://:6379", "no host"),
        ("redis://[::1", "no closing bracket"),
        ("redis://[::1]x", "follows the IPv6 address"),
        ("redis://h:", "not a number from 1 to 65535"),
        ("redis://h:0", "not a number from 1 to 65535"),
        ("redis://h:65536", "not a number from 1 to 65535"),
        ("redis://h:+80", "not a number from 1 to 65535"),
        ("redis://h:99999999999999999999", "not a number from 1 to 65535"),
        ("redis://::1:6379", "no host"),
        ("redis://secret@h", "a user without a password"),
        ("redis://a:secret%zz@h", "two hexadecimal digits"),
        ("redis://a:secret%f@h", "two hexadecimal digits"),
        ("redis://a:secret%ff@h", "not UTF-8"),
        ("redis://a:sec/ret@h", "not a number"),
        ("redis://h/one", "database is not a number"),
        ("redis://h/-1", "database is not a number"),
        ("redis://h/1/2", "database is not a number"),
        ("redis://h/99999999999999999999", "database is not a number"),
        ("redis://h/1?db=2", "given twice"),
        ("redis://h?ssl_cert_reqs=none", "the only option"),
        ("redis://h#1", "fragment"),
        ("unix://run/redis.sock", "is not absolute"),
        ("unix://", "is not absolute"),
        ("unix:///", "is not absolute"),
    ]

    @Test(arguments: invalid) func `An invalid URL is reported without its password`(url: String, reason: String) {
        do throws(RedisError) {
            _ = try RedisConfiguration(url: url)
            Issue.record("\(url) was accepted")
        } catch {
            #expect(error.code == .invalidConfiguration)
            #expect(error.description.contains(reason))
            #expect(!error.description.contains("sec"))
        }
    }

    @Test func `Descriptions of a configuration do not show the password`() throws {
        let configuration = try RedisConfiguration(url: "redis://ada:secret@h")
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(dumped.contains("ada"))
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(!text.contains("secret"))
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct ReconnectPlanTests {
    @Test func `Delays double up to the longest, and half of each is random`() {
        let bounds: [Int64] = [50, 100, 200, 400, 800, 1000, 1000]
        for seed in UInt64(0)..<100 {
            var plan = ReconnectPlan(first: .milliseconds(50), longest: .seconds(1))
            var generator = SeededGenerator(seed: seed)
            for bound in bounds {
                let delay = plan.delay(afterLifetime: .zero, using: &generator)
                #expect(delay <= .milliseconds(bound) && delay >= .milliseconds(bound) / 2, "seed \(seed)")
            }
        }
    }

    @Test func `Processes that fail at the same time reconnect at different times`() {
        var generator = SeededGenerator(seed: 1)
        let delays = (0..<100).map { _ in
            var plan = ReconnectPlan()
            return plan.delay(afterLifetime: .zero, using: &generator)
        }
        #expect(Set(delays).count > 90)
    }

    @Test func `Only a connection that lasted resets the delay`() {
        var plan = ReconnectPlan(first: .milliseconds(100), longest: .seconds(10))
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<5 { _ = plan.delay(afterLifetime: .seconds(1), using: &generator) }
        #expect(plan.delay(afterLifetime: .seconds(1), using: &generator) >= .milliseconds(1600))
        #expect(plan.delay(afterLifetime: .seconds(10), using: &generator) <= .milliseconds(100))
        #expect(plan.delay(afterLifetime: .zero, using: &generator) >= .milliseconds(100))
    }

    @Test func `Failures never cause an overflow, or a delay beyond the longest`() {
        var generator = SeededGenerator(seed: 1)
        for longest in [Duration.zero, .milliseconds(1), .seconds(Int64.max)] {
            var plan = ReconnectPlan(first: .milliseconds(50), longest: longest)
            for _ in 0..<1000 {
                let delay = plan.delay(afterLifetime: .seconds(-1), using: &generator)
                #expect(delay >= .zero && delay <= longest)
            }
        }
    }
}
