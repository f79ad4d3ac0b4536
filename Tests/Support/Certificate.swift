public import Foundation

/// A self-signed certificate and its key, as files.
public struct Certificate: Sendable {
    /// The path of the certificate, as PEM.
    public let certificate: String
    /// The path of its key, as PEM.
    public let privateKey: String

    /// Creates a certificate for names in the format of openssl: `DNS:localhost,IP:127.0.0.1`.
    public init(for names: String, in directory: URL, named name: String = "server") throws {
        certificate = directory.appending(path: "\(name).crt").path
        privateKey = directory.appending(path: "\(name).key").path
        let arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-keyout", privateKey, "-out", certificate, "-subj", "/CN=\(name)", "-addext", "subjectAltName=\(names)",
        ]
        let process = try ChildProcess(Tool.find("openssl"), arguments)
        process.waitUntilExit()
        guard process.exitStatus == 0 else { throw Unusable(description: "openssl made no certificate") }
    }

    /// Creates a certificate for this machine, and deletes it after `body`.
    public static func run<Value: Sendable>(
        for names: String = "DNS:localhost,IP:127.0.0.1",
        _ body: (Certificate) async throws -> Value
    ) async throws -> Value {
        let directory = FileManager.default.temporaryDirectory.appending(path: "certificate-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        return try await body(try Certificate(for: names, in: directory))
    }
}

/// The programs that tests start besides those of this package.
enum Tool {
    static func find(_ tool: String) throws -> URL {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin"
        for directory in path.split(separator: ":")
        where FileManager.default.isExecutableFile(atPath: "\(directory)/\(tool)") {
            return URL(filePath: "\(directory)/\(tool)")
        }
        throw Unusable(description: "\(tool) is not installed. These tests need it: make tools")
    }
}
