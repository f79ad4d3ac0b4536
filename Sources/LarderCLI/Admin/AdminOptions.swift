import ArgumentParser
import Foundation
import LarderGateway
import SystemErrors

/// The options of the commands that use the admin API of a gateway or an application that runs.
struct AdminOptions: ParsableArguments {
    /// The time limit of a request if `--timeout` is not given: 30 s.
    static let timeout = Duration.seconds(30)
    /// The longest token that is read from a file, in bytes.
    private static let tokenLimit = 8_192

    @Option(
        help: ArgumentHelp(
            """
            The admin API: http://…, https://… or unix:///path for a socket (LARDER_ADMIN_URL; default: \
            \(AdminAddress.standard)).
            """,
            valueName: "url"
        )
    )
    var url: String?

    @Option(
        help: ArgumentHelp("A file with the admin token, in place of LARDER_ADMIN_TOKEN.", valueName: "file"),
        completion: .file()
    )
    var tokenFile: String?

    @Option(
        help: ArgumentHelp("A PEM file with the authorities by which an https:// API is verified.", valueName: "file"),
        completion: .file()
    )
    var ca: String?

    @Option(help: ArgumentHelp("The time limit of a request, such as 5s or 2m.", valueName: "time"))
    var timeout: String?

    @Flag(help: "Print JSON, for programs: the answer of the API, with sorted names.")
    var json = false

    func validate() throws {
        _ = try (address(), timeLimit(or: Self.timeout))
    }

    /// Returns the address of the API.
    func address() throws -> AdminAddress {
        let variable = ProcessInfo.processInfo.environment["LARDER_ADMIN_URL"].flatMap { $0.isEmpty ? nil : $0 }
        guard let address = AdminAddress(url ?? variable ?? AdminAddress.standard) else {
            throw ValidationError(
                "\(url == nil ? "LARDER_ADMIN_URL" : "--url") is invalid: expected \(AdminAddress.expectation), "
                    + "not \(PrintedText.escaped(url ?? variable ?? ""))"
            )
        }
        return address
    }

    /// Returns the time limit of a request.
    /// - Parameter standard: The time limit if none is given.
    func timeLimit(or standard: Duration) throws -> Duration {
        guard let timeout else { return standard }
        guard let time = DurationText.parse(timeout), time > .zero else {
            throw ValidationError("--timeout is invalid: expected \(DurationText.expectation), not \(timeout)")
        }
        return time
    }

    /// Returns the token that is sent, and where it is from; nil if there is none.
    func token() throws -> AdminToken? {
        if let tokenFile { return AdminToken(text: try read(tokenFile), source: tokenFile) }
        let name = "LARDER_ADMIN_TOKEN"
        guard let text = ProcessInfo.processInfo.environment[name], !text.isEmpty else { return nil }
        return AdminToken(text: try checked(text, name), source: name)
    }

    private func read(_ path: String) throws -> String {
        let data: Data
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? file.close() }
            data = try file.readAll(upTo: Self.tokenLimit)
        } catch {
            let reason = ErrorText.unreadableReason(of: path) ?? "reading it failed"
            throw Failure("the token file \(path) cannot be read: \(reason)", code: EX_NOINPUT)
        }
        return try checked(String(decoding: data, as: UTF8.self), path)
    }

    /// Returns a token without the line end that an editor leaves after it.
    private func checked(_ text: String, _ source: String) throws -> String {
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        // RFC 6750 §2.1: a token has no blanks and no other characters that need to be escaped.
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Failure("\(source) has no token: expected one line of visible ASCII characters", code: EX_DATAERR)
        }
        return token
    }
}

/// The token that is sent to the admin API.
struct AdminToken {
    let text: String
    /// The variable or the file that it is from, for messages.
    let source: String
}
