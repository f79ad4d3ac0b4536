import Testing

@testable import LarderRules

@Suite struct CheckTests {
    @Test func `a check tells in words what each route does`() {
        let check = GatewayCheck.run(Sample.everything)
        print(check.lines, check.hints)
        print(check.summary)
        #expect(check.mistakes.isEmpty && check.warnings.isEmpty)
    }
}
