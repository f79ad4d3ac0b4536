/// The date format of HTTP fields (RFC 9110 §5.6.7).
///
/// "A recipient that parses a timestamp value in an HTTP field MUST accept all three HTTP-date formats": IMF-fixdate,
/// and the obsolete ones of RFC 850 and of asctime. Other formats are rejected, so that an `Expires` that a stricter
/// cache reads as a past date is never read as a future date here.
public enum HTTPDate {
    /// Returns the time that `text` names, or nil if it is not a valid HTTP-date.
    ///
    /// "Although all date formats are specified to be case-sensitive, a cache recipient SHOULD match the field value
    /// case-insensitively", and it "SHOULD consider a date with a zone abbreviation other than GMT to be invalid"
    /// (RFC 9111 §4.2). A leap second counts as the second before it. The day of the week is not compared with the
    /// date.
    /// - Parameters:
    ///   - text: The value of a field.
    ///   - now: The current time, which determines the century of the two-digit year in an RFC 850 date.
    public static func parse(_ text: some StringProtocol, now: Timestamp) -> Timestamp? {
        guard text.utf8.count <= Self.longest else { return nil }
        var scanner = Scanner(rest: Array(text.utf8)[...])
        guard let date = scanner.date(now: now), scanner.rest.isEmpty else { return nil }
        return date.timestamp
    }

    /// Returns `timestamp` as an IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT`, without fractions of a second.
    public static func format(_ timestamp: Timestamp) -> String {
        let civil = CivilDate(timestamp)
        // Weekdays count from Sunday, and the epoch was a Thursday.
        let weekday = Int((civil.dayNumber % 7 + 11) % 7)
        var text: [UInt8] = []
        text.reserveCapacity(29)
        text += Self.weekdays[weekday].utf8.prefix(3)
        text += ", ".utf8
        text.append(civil.day, digits: 2)
        text += " \(Self.months[civil.month - 1]) ".utf8
        text.append(civil.year, digits: 4)
        text.append(ASCII.space)
        text.append(civil.secondOfDay / 3600, digits: 2)
        text.append(ASCII.colon)
        text.append(civil.secondOfDay / 60 % 60, digits: 2)
        text.append(ASCII.colon)
        text.append(civil.secondOfDay % 60, digits: 2)
        text += " GMT".utf8
        return String(decoding: text, as: UTF8.self)
    }

    /// Returns `timestamp` in the format of ISO 8601 and RFC 3339 for logs, such as `1994-11-06T08:49:37.250Z`.
    package static func formatISO8601(_ timestamp: Timestamp) -> String {
        let civil = CivilDate(timestamp)
        let nanoseconds = timestamp.nanosecondsSinceEpoch % 1_000_000_000
        var text: [UInt8] = []
        text.reserveCapacity(24)
        text.append(civil.year, digits: 4)
        text.append(ASCII.hyphen)
        text.append(civil.month, digits: 2)
        text.append(ASCII.hyphen)
        text.append(civil.day, digits: 2)
        text.append(UInt8(ascii: "T"))
        text.append(civil.secondOfDay / 3600, digits: 2)
        text.append(ASCII.colon)
        text.append(civil.secondOfDay / 60 % 60, digits: 2)
        text.append(ASCII.colon)
        text.append(civil.secondOfDay % 60, digits: 2)
        text.append(ASCII.dot)
        text.append(Int(nanoseconds < 0 ? nanoseconds + 1_000_000_000 : nanoseconds) / 1_000_000, digits: 3)
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }

    /// The length of the longest date: RFC 850 on a Wednesday.
    static let longest = "Wednesday, 06-Nov-94 08:49:37 GMT".utf8.count

    static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let shortWeekdays = weekdays.map { String($0.prefix(3)) }

    /// A reader that consumes a date from the front of the remaining bytes.
    private struct Scanner {
        var rest: ArraySlice<UInt8>

        mutating func date(now: Timestamp) -> CivilDate? {
            if oneOf(HTTPDate.weekdays) != nil {
                return rfc850Date(now: now)
            }
            guard oneOf(HTTPDate.shortWeekdays) != nil else { return nil }
            return rest.first == ASCII.comma ? fixDate() : asctimeDate()
        }

        /// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, after the weekday.
        mutating func fixDate() -> CivilDate? {
            guard literal(", "), let day = number(digits: 2),
                literal(" "), let month = oneOf(HTTPDate.months),
                literal(" "), let year = number(digits: 4),
                literal(" "), let second = timeOfDay(), literal(" GMT")
            else { return nil }
            return CivilDate(year: year, month: month + 1, day: day, secondOfDay: second)
        }

        /// Reads `Sunday, 06-Nov-94 08:49:37 GMT`, after the weekday.
        mutating func rfc850Date(now: Timestamp) -> CivilDate? {
            guard literal(", "), let day = number(digits: 2),
                literal("-"), let month = oneOf(HTTPDate.months),
                literal("-"), let yearOfCentury = number(digits: 2),
                literal(" "), let second = timeOfDay(), literal(" GMT")
            else { return nil }
            // "Recipients of a timestamp value in rfc850-date format, which uses a two-digit year, MUST interpret a
            // timestamp that appears to be more than 50 years in the future as representing the most recent year in the
            // past that had the same last two digits."
            let today = CivilDate(now)
            let latest = (today.year + 50, today.month, today.day, today.secondOfDay)
            var year = today.year - today.year % 100 + 100 + yearOfCentury
            while (year, month + 1, day, second) > latest { year -= 100 }
            return CivilDate(year: year, month: month + 1, day: day, secondOfDay: second)
        }

        /// Reads `Sun Nov  6 08:49:37 1994`, after the weekday.
        mutating func asctimeDate() -> CivilDate? {
            guard literal(" "), let month = oneOf(HTTPDate.months), literal(" "),
                let day = literal(" ") ? number(digits: 1) : number(digits: 2),
                literal(" "), let second = timeOfDay(),
                literal(" "), let year = number(digits: 4)
            else { return nil }
            return CivilDate(year: year, month: month + 1, day: day, secondOfDay: second)
        }

        mutating func timeOfDay() -> Int? {
            guard let hour = number(digits: 2), hour < 24, literal(":"),
                let minute = number(digits: 2), minute < 60, literal(":"),
                let second = number(digits: 2), second <= 60
            else { return nil }
            return hour * 3600 + minute * 60 + min(second, 59)
        }

        /// Consumes `text`, in any case, and returns true if it comes next.
        mutating func literal(_ text: String) -> Bool {
            let bytes = text.utf8
            guard rest.count >= bytes.count,
                zip(rest, bytes).allSatisfy({ ASCII.lowercased($0) == ASCII.lowercased($1) })
            else { return false }
            rest = rest.dropFirst(bytes.count)
            return true
        }

        /// Consumes one of `names` and returns its index, or nil if none of them comes next.
        mutating func oneOf(_ names: [String]) -> Int? {
            names.firstIndex { literal($0) }
        }

        /// Consumes exactly `digits` digits and returns their number, or nil if fewer come next.
        mutating func number(digits: Int) -> Int? {
            guard rest.count >= digits, let value = ASCII.integer(rest.prefix(digits), limit: 9999)
            else { return nil }
            rest = rest.dropFirst(digits)
            return Int(value)
        }
    }
}

/// A date of the proleptic Gregorian calendar, in UTC. The conversions are Howard Hinnant's `days_from_civil` and
/// `civil_from_days` (https://howardhinnant.github.io/date_algorithms.html): years start in March, so that the leap day
/// comes last, and repeat every 400.
package struct CivilDate {
    fileprivate var year: Int
    fileprivate var month: Int
    fileprivate var day: Int
    fileprivate var secondOfDay: Int

    /// Creates a date, or returns nil if the month does not have that day.
    package init?(year: Int, month: Int, day: Int, secondOfDay: Int) {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let length =
            switch month {
            case 2: isLeap ? 29 : 28
            case 4, 6, 9, 11: 30
            default: 31
            }
        guard (1...length).contains(day) else { return nil }
        (self.year, self.month, self.day, self.secondOfDay) = (year, month, day, secondOfDay)
    }

    fileprivate init(_ timestamp: Timestamp) {
        let seconds = Int(timestamp.secondsSinceEpoch)
        let secondOfDay = (seconds % 86_400 + 86_400) % 86_400
        // The days since 0000-03-01, which are positive for every timestamp.
        let days = (seconds - secondOfDay) / 86_400 + 719_468
        let (era, dayOfEra) = days.quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        self.day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        self.month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        self.year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        self.secondOfDay = secondOfDay
    }

    /// The number of days since the Unix epoch.
    fileprivate var dayNumber: Int {
        // The year is moved by one era, so that the division also works for the year 0.
        let yearFromMarch = year - (month <= 2 ? 1 : 0) + 400
        let (era, yearOfEra) = yearFromMarch.quotientAndRemainder(dividingBy: 400)
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return (era - 1) * 146_097 + dayOfEra - 719_468
    }

    /// The time at this date and second.
    package var timestamp: Timestamp {
        Timestamp(secondsSinceEpoch: Int64(dayNumber * 86_400 + secondOfDay))
    }
}

extension Timestamp {
    /// The time in the format of RFC 3339, in UTC with milliseconds: `1994-11-06T08:49:37.000Z`.
    package var iso8601: String {
        let date = CivilDate(self)
        let second = date.secondOfDay
        let millisecond = Int((nanosecondsSinceEpoch % 1_000_000_000 + 1_000_000_000) % 1_000_000_000) / 1_000_000
        var text: [UInt8] = []
        text.reserveCapacity(24)
        text.append(date.year, digits: 4)
        text.append(UInt8(ascii: "-"))
        text.append(date.month, digits: 2)
        text.append(UInt8(ascii: "-"))
        text.append(date.day, digits: 2)
        text.append(UInt8(ascii: "T"))
        text.append(second / 3_600, digits: 2)
        text.append(UInt8(ascii: ":"))
        text.append(second / 60 % 60, digits: 2)
        text.append(UInt8(ascii: ":"))
        text.append(second % 60, digits: 2)
        text.append(UInt8(ascii: "."))
        text.append(ASCII.zero + UInt8(millisecond / 100))
        text.append(millisecond % 100, digits: 2)
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }
}

extension [UInt8] {
    /// Appends `number` with leading zeros, in 2, 3 or 4 digits.
    fileprivate mutating func append(_ number: Int, digits: Int) {
        var divisor = digits == 4 ? 1000 : digits == 3 ? 100 : 10
        while divisor > 0 {
            append(ASCII.zero + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }
}
