/// Texts from elsewhere, such as keys and tags, in the form in which they are printed.
enum PrintedText {
    /// Returns a text with its control characters escaped, and all others that do not show or change the order of
    /// those around them: `\n`, `\u{1B}`. Otherwise a key could control the terminal.
    static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isHidden) else { return text }
        var output = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            case _ where isHidden(scalar):
                output += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output
    }

    private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: true
        default: false
        }
    }

    /// Returns the number of columns of a terminal that a text takes.
    static func width(_ text: String) -> Int {
        text.utf8.count == text.unicodeScalars.count
            ? text.utf8.count : text.unicodeScalars.reduce(0) { $0 + width($1) }
    }

    /// Returns a text that takes at most this number of columns: if it is cut, `…` is at its end.
    static func cut(_ text: String, to columns: Int) -> String {
        guard width(text) > columns else { return text }
        guard columns > 0 else { return "" }
        var (output, used) = ("", 0)
        for character in text {
            let width = width(String(character))
            guard used + width < columns else { break }
            output.append(character)
            used += width
        }
        return output + "…"
    }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        guard scalar.value >= 0x300 else { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        // The blocks of East Asian characters and of emoji, which terminals show in two columns (UAX #11).
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF,
            0x1F900...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }
}
