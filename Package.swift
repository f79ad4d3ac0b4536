// swift-tools-version: 6.2
import PackageDescription

/// `CORE_ONLY=1` leaves out every target that needs Hummingbird, so that the pure tests build in seconds.
let coreOnly = Context.environment["CORE_ONLY"] == "1"

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let locks: Target.Dependency = .product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")

let package = Package(
    name: "larder",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "HTTPCaching", targets: ["HTTPCaching"]),
        .library(name: "Larder", targets: ["Larder"]),
        .library(name: "LarderRedis", targets: ["LarderRedis"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-configuration.git", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-structured-headers.git", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        .target(
            name: "HTTPCaching",
            dependencies: [
                httpTypes,
                .product(name: "RawStructuredFieldValues", package: "swift-http-structured-headers"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "Larder",
            dependencies: [
                "HTTPCaching", httpTypes, nioCore, locks, logging, lifecycle, metrics,
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "RedisClient",
            dependencies: [
                nioCore, locks, nioPosix, nioSSL, logging, lifecycle,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "LarderRedis",
            dependencies: [
                "Larder", "RedisClient", "HTTPCaching", httpTypes, nioCore, locks, logging, lifecycle, metrics,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "LarderRules",
            dependencies: [
                "Larder", "HTTPCaching", httpTypes, logging,
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "LarderExplaining",
            dependencies: ["Larder", "HTTPCaching", httpTypes],
            swiftSettings: settings
        ),
        .target(
            name: "LarderTesting",
            dependencies: [
                "Larder", "RedisClient", "HTTPCaching", httpTypes, nioCore, locks, nioPosix, metrics, logging,
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "HTTPCachingTests",
            dependencies: [
                "HTTPCaching", "LarderTesting", httpTypes,
                .product(name: "RawStructuredFieldValues", package: "swift-http-structured-headers"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "LarderTests",
            dependencies: [
                "Larder", "LarderTesting", "HTTPCaching", httpTypes, nioCore, locks, logging, lifecycle, metrics,
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "LarderRedisTests",
            dependencies: [
                "LarderRedis", "RedisClient", "Larder", "LarderTesting", "HTTPCaching", httpTypes, nioCore, locks,
                nioPosix,
                logging, metrics,
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "LarderRulesTests",
            dependencies: [
                "LarderRules", "Larder", "LarderTesting", "HTTPCaching", httpTypes, logging,
                .product(name: "Configuration", package: "swift-configuration"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "LarderExplainingTests",
            dependencies: ["LarderExplaining", "Larder", "LarderTesting", "HTTPCaching", httpTypes],
            swiftSettings: settings
        ),
        .testTarget(name: "TidyTests", swiftSettings: settings),
        .testTarget(
            name: "RedisClientTests",
            dependencies: [
                "RedisClient", "LarderTesting", nioCore, locks, nioPosix, nioSSL, logging, lifecycle,
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOTestUtils", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
    ]
)

if !coreOnly {
    let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
    let hummingbirdTesting: Target.Dependency = .product(name: "HummingbirdTesting", package: "hummingbird")
    let asyncHTTPClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
    let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")

    package.products += [
        .library(name: "LarderHummingbird", targets: ["LarderHummingbird"]),
        .library(name: "LarderGateway", targets: ["LarderGateway"]),
        .executable(name: "larder", targets: ["LarderCLI"]),
        .executable(name: "larder-demo", targets: ["LarderDemoMain"]),
    ]
    package.dependencies += [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-nio-http2.git", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
    ]
    package.targets += [
        .target(
            name: "LarderHummingbird",
            dependencies: [
                "Larder", "HTTPCaching", hummingbird, httpTypes, nioCore, nioHTTP1, locks, logging,
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "LarderDemo",
            dependencies: [
                "Larder", "LarderHummingbird", "LarderRedis", hummingbird, httpTypes, nioCore, locks, logging,
                .product(name: "Configuration", package: "swift-configuration"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "LarderDemoMain",
            dependencies: [
                "LarderDemo", "Larder", hummingbird, logging, nioCore,
                .product(name: "Configuration", package: "swift-configuration"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "LarderGateway",
            dependencies: [
                "Larder", "LarderHummingbird", "LarderRedis", "LarderRules", "HTTPCaching", hummingbird, httpTypes,
                nioCore,
                locks, nioPosix, nioSSL, nioHTTP1, logging, lifecycle, metrics, asyncHTTPClient,
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdHTTP2", package: "hummingbird"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP2", package: "swift-nio-extras"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "LarderCLI",
            dependencies: [
                "LarderGateway", "LarderRules", "LarderExplaining", "Larder", "HTTPCaching", httpTypes, nioCore,
                logging,
                locks, lifecycle, nioHTTP1, asyncHTTPClient,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "LarderGatewayTests",
            dependencies: [
                "LarderGateway", "LarderHummingbird", "LarderCLI", "LarderRules", "LarderRedis", "RedisClient",
                "Larder", "LarderTesting",
                "HTTPCaching", hummingbird, httpTypes, nioCore, locks, nioPosix, nioSSL, nioHTTP1, logging, lifecycle,
                asyncHTTPClient, hummingbirdTesting,
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdHTTP2", package: "hummingbird"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "LarderHummingbirdTests",
            dependencies: [
                "LarderHummingbird", "LarderRedis", "Larder", "LarderTesting", "HTTPCaching", hummingbird,
                hummingbirdTesting,
                httpTypes, nioCore, locks, logging,
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "LarderDemoTests",
            dependencies: [
                "LarderDemo", "LarderDemoMain", "LarderHummingbird", "LarderRedis", "RedisClient", "Larder",
                "LarderTesting", hummingbird, hummingbirdTesting, httpTypes, nioCore, locks, nioPosix, logging,
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "Configuration", package: "swift-configuration"),
            ],
            swiftSettings: settings
        ),
    ]
}
