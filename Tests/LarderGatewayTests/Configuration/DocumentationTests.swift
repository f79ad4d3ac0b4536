import Foundation
import LarderGateway
import LarderTestSupport
import Testing

/// The configurations that people are shown are right.
@Suite(.timeLimit(.minutes(5))) struct DocumentationTests {
    @Test func `the configuration of the README has no mistakes`() throws {
        let readme = try PackageFolder.text(of: "README.md")
        let blocks = readme.components(separatedBy: "```yaml\n").dropFirst().map {
            $0.components(separatedBy: "```")[0]
        }
        #expect(!blocks.isEmpty)
        for block in blocks {
            let check = GatewayCheck.run(text: block, name: "README.md")
            #expect(check.diagnostics.isEmpty, "\(check.diagnostics)")
        }
    }

    @Test func `the example has no mistakes`() throws {
        let text = try PackageFolder.text(of: "Examples/Gateway/larder.yaml")
        let check = GatewayCheck.run(text: text, name: "larder.yaml")
        #expect(check.diagnostics.isEmpty && check.warnings.isEmpty, "\(check.diagnostics) \(check.warnings)")
        #expect(check.summary.contains("/api/posts/**"))
    }
}
