import Foundation
import LarderGateway
import TestHelpers
import Testing

/// Checks that the configurations in the documentation are valid.
@Suite(.timeLimit(.minutes(5))) struct DocumentationTests {
    @Test func `The configurations in the gateway reference are valid`() throws {
        let page = try PackageFolder.text(of: "docs/gateway.md")
        let blocks = page.components(separatedBy: "```yaml\n").dropFirst().map {
            $0.components(separatedBy: "```")[0]
        }
        #expect(!blocks.isEmpty)
        for block in blocks {
            let check = GatewayCheck.run(text: block, name: "gateway.md")
            #expect(check.diagnostics.isEmpty, "\(check.diagnostics)")
        }
    }

    @Test func `The example configuration is valid`() throws {
        let text = try PackageFolder.text(of: "Examples/Gateway/larder.yaml")
        let check = GatewayCheck.run(text: text, name: "larder.yaml")
        #expect(check.diagnostics.isEmpty && check.warnings.isEmpty, "\(check.diagnostics) \(check.warnings)")
        #expect(check.summary.contains("/api/posts/**"))
    }
}
