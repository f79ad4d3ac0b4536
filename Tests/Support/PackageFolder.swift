public import Foundation

/// The folder of the package that the tests belong to.
public enum PackageFolder {
    /// The folder with `Package.swift`.
    public static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Returns the text of a file.
    /// - Parameter path: The path from ``root``.
    public static func text(of path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }
}
