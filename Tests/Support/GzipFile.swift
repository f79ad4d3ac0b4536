public import Foundation

/// A file that is compressed with gzip.
public enum GzipFile {
    /// Returns the decompressed content of a file. The program `gzip` does the work, which every system has.
    public static func content(of file: URL) throws -> Data {
        let output = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: output) }
        let arguments = ["gzip", "-dc", file.path]
        let process = try ChildProcess(URL(filePath: "/usr/bin/env"), arguments, output: output.path)
        process.waitUntilExit()
        guard process.exitStatus == 0 else { throw CocoaError(.fileReadCorruptFile) }
        return try Data(contentsOf: output)
    }

    /// Returns bytes as `gzip` compresses them.
    /// - Parameter options: The options of the program, such as `-9`.
    public static func compressed(_ bytes: [UInt8], _ options: [String] = []) throws -> [UInt8] {
        let file = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString)")
        let output = file.appendingPathExtension("gz")
        defer { for file in [file, output] { try? FileManager.default.removeItem(at: file) } }
        try Data(bytes).write(to: file)
        let arguments = ["gzip", "-nc"] + options + [file.path]
        let process = try ChildProcess(URL(filePath: "/usr/bin/env"), arguments, output: output.path)
        process.waitUntilExit()
        guard process.exitStatus == 0 else { throw Unusable(description: "gzip failed") }
        return [UInt8](try Data(contentsOf: output))
    }
}
