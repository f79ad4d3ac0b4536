import Foundation
import LarderRules
import Testing

/// The configurations that people are shown are right.
@Suite(.timeLimit(.minutes(5))) struct DocumentationTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test func `the configuration of the README has no mistakes`() throws {
        let readme = try String(contentsOf: Self.root.appending(path: "README.md"), encoding: .utf8)
        let blocks = readme.components(separatedBy: "```yaml\n").dropFirst().map {
            $0.components(separatedBy: "```")[0]
        }
        #expect(!blocks.isEmpty)
        for block in blocks {
            let check = GatewayCheck.run(text: block, name: "README.md")
            #expect(check.mistakes.isEmpty, "\(check.mistakes)")
        }
    }

    @Test func `the example has no mistakes`() throws {
        let file = Self.root.appending(path: "Examples/larder.yaml")
        let check = GatewayCheck.run(text: try String(contentsOf: file, encoding: .utf8), name: "larder.yaml")
        #expect(check.mistakes.isEmpty && check.warnings.isEmpty, "\(check.mistakes) \(check.warnings)")
        #expect(check.summary.contains("/api/posts/**"))
    }
}
