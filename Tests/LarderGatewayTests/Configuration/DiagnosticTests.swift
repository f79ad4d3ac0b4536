import Testing

@testable import LarderGateway

@Suite(.timeLimit(.minutes(5))) struct DiagnosticTests {
    @Test func `A diagnostic is one line with its location and severity`() {
        let diagnostic = Diagnostic(at: .file(name: "larder.yaml", line: 12, column: 5), "no\n\u{1B}[1m such key")
        #expect(diagnostic.description == "larder.yaml:12:5: error: no\u{FFFD}\u{FFFD}[1m such key")
        #expect(Diagnostic(at: .variable("LARDER_A"), "a").description == "LARDER_A: error: a")
        #expect(Diagnostic(at: .option("--a"), "a", severity: .warning).description == "--a: warning: a")
        #expect(Diagnostic(at: .nowhere, "a").description == "error: a")
    }

    @Test func `A message about a value names the setting unless the location does`() {
        let inFile = Diagnostic(.name, at: .file(name: "larder.yaml", line: 2, column: 5), "a")
        #expect(inFile.description == "larder.yaml:2:5: error: `name`: a")
        #expect(Diagnostic(.name, at: .option("--name"), "a").description == "--name: error: a")
    }
}
