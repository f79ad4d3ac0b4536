import Testing

@testable import HTTPCaching

/// HTTP-dates (RFC 9110 §5.6.7, RFC 9111 §4.2).
@Suite(.timeLimit(.minutes(5))) struct HTTPDateTests {
    /// Sun, 06 Nov 1994 08:49:37 GMT.
    private static let example: Int64 = 784_111_777

    private func seconds(_ text: String, now: Timestamp = start) -> Int64? {
        HTTPDate.parse(text, now: now)?.secondsSinceEpoch
    }

    @Test(arguments: [
        ("Sun, 06 Nov 1994 08:49:37 GMT", example), ("Sunday, 06-Nov-94 08:49:37 GMT", example),
        ("Sun Nov  6 08:49:37 1994", example), ("Sun Nov 06 08:49:37 1994", example),
        ("Wed Nov 16 08:49:37 1994", example + 864_000), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Wed, 31 Dec 1969 23:59:59 GMT", -1), ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
        ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400), ("Mon, 01 Jan 1900 00:00:00 GMT", -2_208_988_800),
        ("Sat, 28 Nov 2026 21:10:59 GMT", 1_795_900_259), ("Wed, 31 Dec 1969 00:00:00 GMT", -86_400),
    ]) func `RFC 9110 5.6.7: all three date formats are read`(_ text: String, _ expected: Int64) {
        #expect(seconds(text) == expected)
    }

    @Test(arguments: [
        "SUN, 06 NOV 1994 08:49:37 GMT", "sun, 06 nov 1994 08:49:37 gmt", "SUNDAY, 06-NOV-94 08:49:37 gmt",
        "sun nov  6 08:49:37 1994",
    ]) func `RFC 9111 4.2: a date is matched case-insensitively`(_ text: String) {
        #expect(seconds(text) == Self.example)
    }

    @Test(arguments: HTTPDate.months) func `Every month name is read`(_ month: String) throws {
        let number = try #require(HTTPDate.months.firstIndex(of: month))
        let first = try #require(seconds("Sun, 01 \(month) 2023 00:00:00 GMT"))
        let days = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
        #expect(first == 1_672_531_200 + Int64(days[number]) * 86_400)
    }

    @Test(arguments: HTTPDate.weekdays) func `Every day of the week is read and not compared with the date`(
        _ day: String
    ) {
        #expect(seconds("\(day.prefix(3)), 06 Nov 1994 08:49:37 GMT") == Self.example)
        #expect(seconds("\(day), 06-Nov-94 08:49:37 GMT") == Self.example)
        #expect(seconds("\(day.prefix(3)) Nov  6 08:49:37 1994") == Self.example)
    }

    @Test(arguments: [
        // "A cache recipient SHOULD consider a date with a zone abbreviation other than GMT to be invalid."
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 +0000", "Sun, 06 Nov 1994 08:49:37 EST",
        "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ", " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMTX", "Sun, 06 Nov 1994 08:49:37  GMT", "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT", "Sunday, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 UTC",
        "Sun, 06 Nov 19940 08:49:37 GMT", "Sun, 06 November 1994 08:49:37 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 32 Dec 1994 08:49:37 GMT", "Sun, 29 Feb 1994 08:49:37 GMT", "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 29 Feb 2100 08:49:37 GMT", "Sun, 30 Feb 2000 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
        "Foo, 06 Nov 1994 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08.49.37 GMT",
        "Sun Nov 6 08:49:37 1994", "Sun Nov  06 08:49:37 1994", "Sun Nov  6 08:49:37 94",
        "Sun Nov  6 08:49:37 1994 GMT",
        "", "0", "-1", "784111777", "Sun", "Sun,", "1994-11-06T08:49:37Z", "Sun, 0\u{666} Nov 1994 08:49:37 GMT",
    ]) func `Texts in other formats are not dates`(_ text: String) {
        #expect(HTTPDate.parse(text, now: start) == nil)
    }

    @Test func `The last second of a day is read, and a leap second counts as the second before it`() {
        #expect(seconds("Sat, 31 Dec 2016 23:59:59 GMT") == 1_483_228_799)
        #expect(seconds("Sat, 31 Dec 2016 23:59:60 GMT") == 1_483_228_799)
    }

    @Test(arguments: [
        // A date that "appears to be more than 50 years in the future" is in the past, to the second.
        ("Friday, 06-Nov-76 08:49:37 GMT", "Fri, 06 Nov 2026 08:49:37 GMT", "Fri, 06 Nov 2076 08:49:37 GMT"),
        ("Friday, 06-Nov-76 08:49:38 GMT", "Fri, 06 Nov 2026 08:49:37 GMT", "Sat, 06 Nov 1976 08:49:38 GMT"),
        ("Friday, 07-Nov-76 00:00:00 GMT", "Fri, 06 Nov 2026 08:49:37 GMT", "Sun, 07 Nov 1976 00:00:00 GMT"),
        ("Friday, 01-Dec-76 00:00:00 GMT", "Fri, 06 Nov 2026 08:49:37 GMT", "Wed, 01 Dec 1976 00:00:00 GMT"),
        ("Friday, 31-Oct-76 23:59:59 GMT", "Fri, 06 Nov 2026 08:49:37 GMT", "Sat, 31 Oct 2076 23:59:59 GMT"),
        ("Friday, 06-Nov-25 08:49:37 GMT", "Fri, 06 Nov 2026 08:49:37 GMT", "Thu, 06 Nov 2025 08:49:37 GMT"),
        ("Friday, 06-Nov-99 08:49:37 GMT", "Fri, 06 Nov 2026 08:49:37 GMT", "Sat, 06 Nov 1999 08:49:37 GMT"),
        ("Friday, 06-Nov-00 08:49:37 GMT", "Sat, 06 Nov 1999 08:49:37 GMT", "Mon, 06 Nov 2000 08:49:37 GMT"),
        ("Friday, 06-Nov-49 08:49:37 GMT", "Sat, 06 Nov 1999 08:49:37 GMT", "Sat, 06 Nov 2049 08:49:37 GMT"),
        ("Friday, 06-Nov-50 08:49:37 GMT", "Sat, 06 Nov 1999 08:49:37 GMT", "Mon, 06 Nov 1950 08:49:37 GMT"),
    ]) func `RFC 9110 5.6.7: a year of two digits is at most 50 years in the future`(
        _ text: String,
        _ now: String,
        _ expected: String
    ) throws {
        let now = try #require(HTTPDate.parse(now, now: start))
        let date = try #require(HTTPDate.parse(text, now: now))
        #expect(HTTPDate.format(date) == expected)
    }

    @Test func `Years outside the range of a timestamp become the earliest or the latest time`() {
        #expect(HTTPDate.parse("Fri, 31 Dec 9999 23:59:59 GMT", now: start) == .distantFuture)
        #expect(HTTPDate.parse("Sat, 01 Jan 0000 00:00:00 GMT", now: start) == .distantPast)
        #expect(HTTPDate.format(.distantFuture) == "Fri, 11 Apr 2262 23:47:16 GMT")
        #expect(HTTPDate.format(.distantPast) == "Tue, 21 Sep 1677 00:12:43 GMT")
    }

    @Test func `A fraction of a second is rounded down, also before 1970`() {
        #expect(HTTPDate.format(Timestamp(nanosecondsSinceEpoch: 1_999_999_999)) == "Thu, 01 Jan 1970 00:00:01 GMT")
        #expect(HTTPDate.format(Timestamp(nanosecondsSinceEpoch: -1)) == "Wed, 31 Dec 1969 23:59:59 GMT")
    }

    @Test func `Every day of four centuries has the date that counting gives it`() {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var (year, month, day, weekday) = (1_840, 0, 1, 3)
        // Wed, 01 Jan 1840.
        var seconds: Int64 = -4_102_444_800
        while year < 2_240 {
            let name = HTTPDate.weekdays[weekday].prefix(3)
            let days = day < 10 ? "0\(day)" : "\(day)"
            let text = "\(name), \(days) \(HTTPDate.months[month]) \(year) 23:00:01 GMT"
            let moment = Timestamp(secondsSinceEpoch: seconds + 82_801)
            if HTTPDate.format(moment) != text || HTTPDate.parse(text, now: start) != moment {
                Issue.record("\(text) is \(HTTPDate.format(moment))")
                return
            }
            let isLeap = year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
            day += 1
            if day > lengths[month] + (month == 1 && isLeap ? 1 : 0) { (day, month) = (1, month + 1) }
            if month == 12 { (month, year) = (0, year + 1) }
            weekday = (weekday + 1) % 7
            seconds += 86_400
        }
    }
}
