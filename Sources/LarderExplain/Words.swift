import HTTPCaching

extension Duration {
    /// The length in seconds, such as `60 s`, followed by larger units if they are easier to read: `5400 s (1 h 30
    /// min)`.
    var inWords: String {
        let text = "\(inSeconds) s"
        guard self >= .seconds(120) || self <= .seconds(-120) else { return text }
        let (seconds, sign) = (Int64(components.seconds.magnitude), self < .zero ? "-" : "")
        // Minutes are left out from one day on.
        let parts: [(Int64, String)] =
            seconds >= 86_400
            ? [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h")]
            : [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")]
        let words = parts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        return "\(text) (\(sign)\(words.joined(separator: " ")))"
    }

    /// The number of seconds, with at most three decimals, rounded towards zero.
    var inSeconds: String {
        let (seconds, attoseconds) = components
        let thousandths = abs(attoseconds / 1_000_000_000_000_000)
        let sign = self < .zero && seconds == 0 && thousandths > 0 ? "-" : ""
        guard thousandths > 0 else { return "\(seconds)" }
        var decimals = String(thousandths + 1000).dropFirst()
        while decimals.last == "0" { decimals = decimals.dropLast() }
        return "\(sign)\(seconds).\(decimals)"
    }

    /// The number of seconds.
    var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}

extension Lifetimes.Source {
    /// The name of the source, for use after "by".
    var name: String {
        switch self {
        case .none: "nothing"
        case .sMaxAge: "s-maxage"
        case .maxAge: "max-age"
        case .expires: "Expires"
        case .heuristic: "a heuristic from Last-Modified"
        case .rules: "the rules' default"
        }
    }

    /// The token of the source for programs.
    var token: String {
        switch self {
        case .none: "none"
        case .sMaxAge: "s-maxage"
        case .maxAge: "max-age"
        case .expires: "expires"
        case .heuristic: "heuristic"
        case .rules: "rules"
        }
    }
}

extension Collection<String> {
    /// The texts as a list in a sentence: `a, b and c`.
    var listed: String {
        let texts = Array(self)
        guard let last = texts.last, texts.count > 1 else { return texts.first ?? "" }
        return "\(texts.dropLast().joined(separator: ", ")) and \(last)"
    }
}

/// Returns a received text between quotes, without characters that affect a terminal.
func quoted(_ text: some StringProtocol) -> String {
    "\"\(printable(text))\""
}

/// Returns a received text, cut to a readable length, without characters that affect a terminal.
func printable(_ text: some StringProtocol, limit: Int = 200) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(limit) {
        let isSafe = !scalar.properties.isDefaultIgnorableCodePoint && scalar.properties.generalCategory != .control
        scalars.append(isSafe ? scalar : "?")
    }
    return String(scalars) + (text.unicodeScalars.count > limit ? "…" : "")
}
