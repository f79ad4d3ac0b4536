import Foundation

/// A command that is run to its end.
struct Command {
    let words: [String]
    var environment: [String: String] = [:]

    init(_ words: [String], environment: [String: String] = [:]) {
        (self.words, self.environment) = (words, environment)
    }

    /// Returns the command with further arguments.
    func appending(_ more: [String]) -> Command { Command(words + more, environment: environment) }

    /// Runs the command. Returns what it prints, on both of its outputs.
    func output() throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = environment.map { "\($0)=\($1)" } + words
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        guard process.terminationStatus == 0 else {
            throw BenchmarkError(description: "\(words.joined(separator: " ")) failed: \(text.suffix(1_000))")
        }
        return text
    }
}

/// A private key and the certificate for 127.0.0.1 that it signs itself, in a directory that is removed with it.
final class Certificate {
    private let directory: URL
    var certificate: String { directory.appending(path: "certificate.pem").path() }
    var key: String { directory.appending(path: "key.pem").path() }

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        Leftovers.shared.add(self, nil, directory)
        let words = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        ]
        _ = try Command(words + ["-keyout", key, "-out", certificate]).output()
    }

    deinit {
        try? FileManager.default.removeItem(at: directory)
        Leftovers.shared.remove(self)
    }
}
