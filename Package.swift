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

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let locks: Target.Dependency = .product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing")
let inMemoryTracing: Target.Dependency = .product(
    name: "InMemoryTracing",
    package: "swift-distributed-tracing"
)
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let structuredFields: Target.Dependency = .product(
    name: "RawStructuredFieldValues",
    package: "swift-http-structured-headers"
)

/// The dependency with which `LarderTestSupport` reads the responses of Hummingbird's test client.
let testClient: [Target.Dependency] =
    coreOnly ? [] : [.product(name: "HummingbirdTesting", package: "hummingbird")]

let package = Package(
    name: "larder",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "HTTPCaching", targets: ["HTTPCaching"]),
        .library(name: "Larder", targets: ["Larder", "OpenMetrics"]),
        .library(name: "LarderRedis", targets: ["LarderRedis"]),
        .library(name: "LarderTestSupport", targets: ["LarderTestSupport"]),
    ],
    traits: [
        .default(enabledTraits: ["Gateway"]),
        .trait(
            name: "Gateway",
            description: "The product LarderGateway, the program larder and the example API",
            enabledTraits: ["Hummingbird"]
        ),
        .trait(name: "Hummingbird", description: "The product LarderHummingbird"),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-structured-headers.git", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        .target(name: "HTTPCaching", dependencies: [httpTypes, structuredFields]),
        .target(
            name: "Larder",
            dependencies: [
                "HTTPCaching", "OpenMetrics", crypto, deque, httpTypes, lifecycle, locks, logging, metrics, nioCore,
                tracing,
            ]
        ),
        .target(name: "OpenMetrics", dependencies: [coreMetrics, locks]),
        .target(name: "SystemErrors", dependencies: [nioCore, nioPosix, nioSSL]),
        .target(
            name: "RedisClient",
            dependencies: ["SystemErrors", crypto, deque, lifecycle, locks, logging, nioCore, nioPosix, nioSSL]
        ),
        .target(
            name: "LarderRedis",
            dependencies: [
                "HTTPCaching", "Larder", "OpenMetrics", "RedisClient", coreMetrics, crypto, deque, httpTypes, lifecycle,
                locks, logging, metrics, nioCore, tracing,
            ]
        ),
        .target(name: "LarderExplain", dependencies: ["HTTPCaching", "Larder", httpTypes]),
        .target(name: "LarderSimulation", dependencies: ["HTTPCaching", "Larder", httpTypes, nioCore]),
        .target(
            name: "LarderTestSupport",
            dependencies: ["HTTPCaching", "Larder", httpTypes, lifecycle, locks, nioCore] + testClient
        ),
        .target(
            name: "TestHelpers",
            dependencies: [
                "HTTPCaching", "Larder", "LarderTestSupport", "RedisClient", httpTypes, locks, logging, nioCore,
                nioPosix,
            ],
            path: "Tests/Support"
        ),
        .target(
            name: "ConformanceTables",
            dependencies: ["HTTPCaching", "Larder", "LarderTestSupport", "TestHelpers", httpTypes, locks],
            path: "Tests/Conformance"
        ),
        .testTarget(
            name: "HTTPCachingTests",
            dependencies: ["ConformanceTables", "HTTPCaching", "TestHelpers", httpTypes, structuredFields]
        ),
        .testTarget(
            name: "LarderTests",
            dependencies: [
                "ConformanceTables", "HTTPCaching", "Larder", "LarderTestSupport", "TestHelpers", httpTypes,
                inMemoryTracing,
                locks, logging, nioCore, tracing,
            ],
            exclude: ["Traces"]
        ),
        .testTarget(
            name: "LarderRedisTests",
            dependencies: [
                "HTTPCaching", "Larder", "LarderRedis", "LarderTestSupport", "RedisClient", "TestHelpers",
                coreMetrics, httpTypes, locks, logging, nioCore, nioPosix,
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ]
        ),
        .testTarget(
            name: "LarderExplainTests",
            dependencies: [
                "HTTPCaching", "Larder", "LarderExplain", "LarderTestSupport", "TestHelpers", httpTypes,
            ]
        ),
        .testTarget(
            name: "LarderSimulationTests",
            dependencies: ["HTTPCaching", "Larder", "LarderSimulation", "TestHelpers", nioCore]
        ),
        .testTarget(
            name: "RedisClientTests",
            dependencies: [
                "LarderTestSupport", "RedisClient", "SystemErrors", "TestHelpers", lifecycle, locks, logging, nioCore,
                nioPosix,
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOTestUtils", package: "swift-nio"),
            ]
        ),
        .testTarget(name: "OpenMetricsTests", dependencies: ["OpenMetrics", coreMetrics]),
        .testTarget(name: "TidyTests", dependencies: ["TestHelpers"]),
        // Without package access, so that the example needs nothing that is not public.
        .target(
            name: "DictionaryStore",
            dependencies: ["HTTPCaching", "Larder"],
            path: "Examples/Store/Sources",
            packageAccess: false
        ),
        .testTarget(
            name: "DictionaryStoreTests",
            dependencies: ["DictionaryStore", "Larder", "LarderTestSupport"],
            path: "Examples/Store/Tests",
            packageAccess: false
        ),
    ]
)

if !coreOnly {
    let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
    let asyncHTTPClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
    let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
    let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
    let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
    let hummingbirdHTTP2: Target.Dependency = .product(name: "HummingbirdHTTP2", package: "hummingbird")
    let hummingbirdTesting: Target.Dependency = .product(name: "HummingbirdTesting", package: "hummingbird")
    let metricsTestKit: Target.Dependency = .product(name: "MetricsTestKit", package: "swift-metrics")
    let nioHPACK: Target.Dependency = .product(name: "NIOHPACK", package: "swift-nio-http2")
    let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
    let nioHTTP2: Target.Dependency = .product(name: "NIOHTTP2", package: "swift-nio-http2")
    let nioHTTPTypes: Target.Dependency = .product(name: "NIOHTTPTypes", package: "swift-nio-extras")
    let nioHTTPTypesHTTP1: Target.Dependency = .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
    let nioHTTPTypesHTTP2: Target.Dependency = .product(name: "NIOHTTPTypesHTTP2", package: "swift-nio-extras")
    let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
    let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
    let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

    package.products += [
        .library(name: "LarderHummingbird", targets: ["LarderHummingbird"]),
        .library(name: "LarderGateway", targets: ["LarderGateway"]),
        .executable(name: "larder", targets: ["LarderCLI"]),
        .executable(name: "larder-demo", targets: ["LarderDemoMain"]),
    ]
    package.dependencies += [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration.git", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2.git", from: "1.46.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
    ]
    package.targets += [
        .target(name: "CDashboard", exclude: ["dashboard.html"]),
        .target(
            name: "LarderHummingbird",
            dependencies: [
                "CDashboard", "HTTPCaching", "Larder", "OpenMetrics", crypto, httpTypes, hummingbird, hummingbirdCore,
                lifecycle, locks, logging, nioCore, nioHTTP1, nioHTTPTypesHTTP1,
            ]
        ),
        .target(
            name: "LarderGateway",
            dependencies: [
                "HTTPCaching", "Larder", "LarderHummingbird", "OpenMetrics", "SystemErrors", asyncHTTPClient,
                configuration, deque, httpTypes, hummingbird, hummingbirdCore, lifecycle, locks, logging, metrics,
                nioCore, nioHPACK,
                nioHTTP1, nioHTTP2, nioHTTPTypes, nioHTTPTypesHTTP1, nioHTTPTypesHTTP2, nioPosix, nioSSL, nioTLS,
                tracing, yams,
            ]
        ),
        .executableTarget(
            name: "LarderCLI",
            dependencies: [
                "HTTPCaching", "Larder", "LarderExplain", "LarderGateway", "LarderHummingbird", "LarderRedis",
                "LarderSimulation", "OpenMetrics", "SystemErrors", argumentParser, asyncHTTPClient, httpTypes,
                lifecycle, locks, logging, metrics, nioCore, nioHTTP1, nioPosix, nioSSL, unixSignals,
            ]
        ),
        .target(
            name: "LarderDemo",
            dependencies: [
                "Larder", "LarderHummingbird", "LarderRedis", configuration, httpTypes, hummingbird, locks, logging,
                nioCore,
            ],
            path: "Examples/Demo/App"
        ),
        .executableTarget(
            name: "LarderDemoMain",
            dependencies: ["Larder", "LarderDemo", configuration, hummingbird, logging, nioCore],
            path: "Examples/Demo/Main"
        ),
        .testTarget(
            name: "LarderHummingbirdTests",
            dependencies: [
                "HTTPCaching", "Larder", "LarderHummingbird", "LarderRedis", "LarderTestSupport", "OpenMetrics",
                "TestHelpers", crypto, httpTypes, hummingbird, hummingbirdTesting, lifecycle, locks, logging, metrics,
                metricsTestKit, nioCore, nioHTTP1,
            ]
        ),
        .testTarget(
            name: "LarderGatewayTests",
            dependencies: [
                "ConformanceTables", "HTTPCaching", "Larder", "LarderCLI", "LarderGateway", "LarderHummingbird",
                "LarderRedis", "LarderSimulation", "LarderTestSupport", "RedisClient", "TestHelpers", asyncHTTPClient,
                httpTypes, hummingbird, hummingbirdCore, hummingbirdHTTP2, hummingbirdTesting, lifecycle, locks,
                logging,
                inMemoryTracing, metricsTestKit, nioCore, nioHPACK, nioHTTP1, nioHTTP2, nioHTTPTypes, nioPosix, nioSSL,
                tracing,
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "LarderDemoTests",
            dependencies: [
                "Larder", "LarderDemo", "LarderDemoMain", "LarderHummingbird", "LarderRedis",
                "LarderTestSupport", "RedisClient", "TestHelpers", configuration, httpTypes, hummingbird,
                hummingbirdTesting, locks, logging,
                metricsTestKit, nioCore, nioPosix,
            ]
        ),
    ]
}

for target in package.targets { target.swiftSettings = settings }

/// The traits that need a package. A package that is not listed is always resolved; a listed one only if its trait is
/// enabled, for which each of its products must have the condition.
let traits = [
    "Yams": "Gateway",
    "async-http-client": "Gateway",
    "hummingbird": "Hummingbird",
    "swift-argument-parser": "Gateway",
    "swift-configuration": "Gateway",
    "swift-nio-extras": "Hummingbird",
    "swift-nio-http2": "Gateway",
]

for target in package.targets {
    target.dependencies = target.dependencies.map { dependency in
        guard case .productItem(let name, let package?, let aliases, nil) = dependency, let trait = traits[package]
        else { return dependency }
        return .product(name: name, package: package, moduleAliases: aliases, condition: .when(traits: [trait]))
    }
}
