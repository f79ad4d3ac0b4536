// swift-tools-version: 6.2
import PackageDescription

/// The traits of Larder that this package enables, separated by commas; none by default.
let traits = (Context.environment["LARDER_TRAITS"] ?? "").split(separator: ",").map {
    Package.Dependency.Trait.trait(name: String($0))
}

// Nothing of it is built: `make test-consumer` looks at the packages that it is given.
let package = Package(
    name: "consumer",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "larder", path: "../..", traits: Set(traits))],
    targets: [
        .target(
            name: "Consumer",
            dependencies: [
                .product(name: "Larder", package: "larder"),
                .product(name: "LarderRedis", package: "larder"),
            ]
        )
    ]
)
