import NIOCore
import NIOPosix
import SystemErrors
import TestHelpers
import Testing

/// The texts of errors of files and connections, which do not show the types and codes of libraries.
@Suite(.timeLimit(.minutes(5))) struct ErrorTextTests {
    @Test func `A refused connection is described in plain words`() async throws {
        let port = try FreePort.take()
        do {
            let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            _ = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
            Issue.record("A server listens on a port that was free")
        } catch {
            #expect(
                ErrorText.describe(error) == "the connection was refused, so no server listens on this address"
            )
        }
    }

    @Test func `A file that is missing or a folder is described in plain words`() {
        #expect(
            ErrorText.unreadableReason(of: "/no/such/file") == "the file, or a folder of its path, does not exist"
        )
        #expect(ErrorText.unreadableReason(of: "/") == "it is a folder: expected a file")
        #expect(ErrorText.unreadableReason(of: #filePath) == nil)
    }

    @Test func `A system error that is not listed has the text of the system`() {
        let text = ErrorText.describe(IOError(errnoCode: 25, reason: "reading"))
        #expect(!text.isEmpty && !text.contains("reading") && !text.contains("errno"))
    }

    @Test func `An error of another kind describes itself`() {
        struct Other: Error, CustomStringConvertible { let description = "something else" }
        #expect(ErrorText.describe(Other()) == "something else")
    }
}
