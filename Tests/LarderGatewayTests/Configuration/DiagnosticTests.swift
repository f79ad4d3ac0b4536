import Testing

@testable import LarderGateway

@Suite(.timeLimit(.minutes(5))) struct DiagnosticTests {
    @Test func `A diagnostic is one line with its location`() {
        let diagnostic = Diagnostic(at: .file(name: "larder.yaml", line: 12, column: 5), "no\n\u{1B}[1m such key")
        #expect(diagnostic.description == "larder.yaml:12:5: no\u{FFFD}\u{FFFD}[1m such key")
        #expect(Diagnostic(at: .variable("LARDER_LISTEN"), "is empty").description == "LARDER_LISTEN: is empty")
        #expect(Diagnostic(at: .option("--listen"), "is empty").description == "--listen: is empty")
    }
}
