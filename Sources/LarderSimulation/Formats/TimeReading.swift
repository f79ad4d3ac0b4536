import HTTPCaching

/// The times of logs, in nanoseconds.
enum TimeReading {
    private static let second: Int64 = 1_000_000_000
    private static let months: [UInt32: Int] = {
        let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        return Dictionary(
            uniqueKeysWithValues: names.enumerated().map { number, name in
                (name.utf8.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }, number + 1)
            }
        )
    }()

    /// Reads a time in any of the forms below; nil if it is another one.
    static func time(_ bytes: ArraySlice<UInt8>) -> Int64? {
        if let time = number(bytes) { return time }
        var scanner = ByteScanner(bytes)
        _ = scanner.token { $0 &- 48 < 10 }
        return scanner.next == UInt8(ascii: "/") ? clock(bytes) : iso(bytes)
    }

    /// Reads `06/Nov/1994:08:49:37 +0000`, the time of the Common Log Format.
    static func clock(_ bytes: ArraySlice<UInt8>) -> Int64? {
        var scanner = ByteScanner(bytes)
        guard let day = scanner.digits(2), scanner.take(UInt8(ascii: "/")), bytes.count >= 20 else { return nil }
        var name: UInt32 = 0
        for _ in 0..<3 {
            name = name << 8 | UInt32(scanner.next | 0x20)
            scanner.place += 1
        }
        guard let month = months[name], scanner.take(UInt8(ascii: "/")), let year = scanner.digits(4),
            scanner.take(UInt8(ascii: ":")), let second = secondOfDay(&scanner),
            let date = CivilDate(year: year, month: month, day: day, secondOfDay: second)
        else { return nil }
        scanner.skip { $0 == UInt8(ascii: " ") }
        return nanoseconds(date, fraction: 0, &scanner)
    }

    /// Reads `1994-11-06T08:49:37.5+00:00`, also with a blank between date and time; without a zone it is UTC.
    static func iso(_ bytes: ArraySlice<UInt8>) -> Int64? {
        var scanner = ByteScanner(bytes)
        let hyphen = UInt8(ascii: "-")
        guard let year = scanner.digits(4), scanner.take(hyphen), let month = scanner.digits(2),
            (1...12).contains(month), scanner.take(hyphen), let day = scanner.digits(2),
            scanner.take(UInt8(ascii: "T")) || scanner.take(UInt8(ascii: " ")),
            let second = secondOfDay(&scanner),
            let date = CivilDate(year: year, month: month, day: day, secondOfDay: second)
        else { return nil }
        var fraction: Int64 = 0
        if scanner.take(UInt8(ascii: ".")) || scanner.take(UInt8(ascii: ",")) {
            guard let parts = Self.fraction(&scanner) else { return nil }
            fraction = parts
        }
        return nanoseconds(date, fraction: fraction, &scanner)
    }

    /// Reads a number of seconds, `1700000000.125`; of milliseconds, microseconds or nanoseconds if it would be later
    /// than the year 5138.
    static func number(_ bytes: ArraySlice<UInt8>) -> Int64? {
        var scanner = ByteScanner(bytes)
        let isNegative = scanner.take(UInt8(ascii: "-"))
        // The number is `value` times ten to the power of `power`.
        var (value, power, count) = (Int64(0), 0, 0)
        var isFraction = false
        while true {
            if scanner.next &- 48 < 10 {
                let digit = Int64(scanner.next &- 48)
                if value <= (.max - digit) / 10 {
                    value = value * 10 + digit
                    if isFraction { power -= 1 }
                } else if !isFraction {
                    return nil
                }
                count += 1
                scanner.place += 1
            } else if count > 0, !isFraction, scanner.take(UInt8(ascii: ".")) {
                (isFraction, count) = (true, 0)
            } else {
                break
            }
        }
        guard count > 0 else { return nil }
        // JSON may write large numbers with an exponent: 1.7000000001e+09.
        if scanner.next | 0x20 == UInt8(ascii: "e"), !scanner.isAtEnd {
            scanner.place += 1
            _ = scanner.take(UInt8(ascii: "+"))
            guard let exponent = scanner.number(), exponent <= 18 else { return nil }
            power += exponent
        }
        guard scanner.isAtEnd else { return nil }
        for _ in 0..<3 where scaled(value, power) ?? .max >= 100_000_000_000 { power -= 3 }
        guard let time = scaled(value, power + 9) else { return nil }
        return isNegative ? -time : time
    }

    /// Returns a number times a power of ten, rounded down; nil if it is too large.
    private static func scaled(_ value: Int64, _ power: Int) -> Int64? {
        var value = value
        for _ in 0..<abs(power) where value != 0 {
            if power < 0 {
                value /= 10
            } else {
                guard value <= .max / 10 else { return nil }
                value *= 10
            }
        }
        return value
    }

    /// Reads the digits after a point, as nanoseconds.
    private static func fraction(_ scanner: inout ByteScanner) -> Int64? {
        var (value, unit, count) = (Int64(0), second, 0)
        while scanner.next &- 48 < 10 {
            unit /= 10
            value += Int64(scanner.next &- 48) * unit
            count += 1
            scanner.place += 1
        }
        return count == 0 ? nil : value
    }

    private static func secondOfDay(_ scanner: inout ByteScanner) -> Int? {
        let colon = UInt8(ascii: ":")
        guard let hour = scanner.digits(2), hour < 24, scanner.take(colon), let minute = scanner.digits(2), minute < 60,
            scanner.take(colon), let second = scanner.digits(2), second <= 60
        else { return nil }
        return hour * 3_600 + minute * 60 + min(second, 59)
    }

    /// Reads the zone, and returns the time; nil if anything follows.
    private static func nanoseconds(_ date: CivilDate, fraction: Int64, _ scanner: inout ByteScanner) -> Int64? {
        var offset = 0
        let isBehind = scanner.next == UInt8(ascii: "-")
        if scanner.take(UInt8(ascii: "+")) || scanner.take(UInt8(ascii: "-")) {
            guard let hours = twoDigits(&scanner), hours < 24 else { return nil }
            _ = scanner.take(UInt8(ascii: ":"))
            guard let minutes = twoDigits(&scanner), minutes < 60 else { return nil }
            offset = (hours * 60 + minutes) * (isBehind ? -60 : 60)
        } else {
            _ = scanner.take(UInt8(ascii: "Z"))
        }
        guard scanner.isAtEnd else { return nil }
        // The years that have four digits are beyond the range of nanoseconds.
        let seconds = date.timestamp.secondsSinceEpoch - Int64(offset)
        guard abs(seconds) < 9_000_000_000 else { return nil }
        return seconds * second + fraction
    }

    private static func twoDigits(_ scanner: inout ByteScanner) -> Int? {
        guard scanner.place + 2 <= scanner.bytes.endIndex else { return nil }
        let (first, last) = (scanner.bytes[scanner.place] &- 48, scanner.bytes[scanner.place + 1] &- 48)
        guard first < 10, last < 10 else { return nil }
        scanner.place += 2
        return Int(first) * 10 + Int(last)
    }
}
