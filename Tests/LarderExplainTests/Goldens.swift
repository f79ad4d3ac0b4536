import Testing

/// Exchanges with the expected text of their explanations. The response was received at the time in its `Date`.
struct Golden: Sendable, CustomTestStringConvertible {
    let name: String
    /// True if the policy is that of a decorated route, and false if it is a gateway's.
    var isRoute = false
    let file: String
    let text: String
    var testDescription: String { name }
}

extension Golden {
    static let all: [Golden] = [
        Golden(
            name: "max-age with a tag",
            file: """
                GET /list?page=2 HTTP/1.1
                Host: api.example.org
                Accept: application/json

                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Content-Type: application/json
                Cache-Control: public, max-age=60, stale-while-revalidate=30, stale-if-error=600
                ETag: "v1"
                Last-Modified: Sun, 06 Nov 1994 08:00:00 GMT
                Vary: Accept, Accept-Encoding
                Cache-Tag: posts, user 7

                []

                """,
            text: """
                Stored: fresh for 60 s
                Key: GET:https://api.example.org/list?page=2

                Why
                  It is the response to a GET, with status 200, and neither the request nor the response forbids
                    storing it (RFC 9111 §3).

                Lifetime
                  Fresh for 60 s, by max-age in Cache-Control (RFC 9111 §5.2.2.1).
                  Once stale, it may be served for 30 s while it is refreshed (RFC 5861 §3), for 600 s (10 min) if
                    the origin fails (RFC 5861 §4) and for 86400 s (1 d) if the origin cannot be reached
                    (RFC 9111 §4.2.4). It is stored for at most 86460 s (1 d), so that it can be validated.

                Age
                  On arrival it was 0 s old: the greater of Age plus the response delay, and the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response delay was at most 0 s and Date is 0 s
                    before the arrival.

                Directives
                  "public": any cache may store it (RFC 9111 §5.2.2.9).
                  "max-age=60": fresh for 60 s (RFC 9111 §5.2.2.1).
                  "stale-while-revalidate=30": while it is refreshed, may be served stale for 30 s (RFC 5861 §3).
                  "stale-if-error=600": if the origin fails, may be served stale for 600 s (10 min) (RFC 5861 §4).

                Vary
                  It answers only requests with the same values of Accept and Accept-Encoding (RFC 9111 §4.1).
                  This request had "accept:application/json" and "accept-encoding"; a name without a value is a
                    field that was missing.

                Tags
                  Tags of the response: "posts" and "user%207".
                  Cache-Tag is not sent to clients.

                Validators
                  A validation sends If-None-Match: "v1" and If-Modified-Since: Sun, 06 Nov 1994 08:00:00 GMT
                    (RFC 9111 §4.3.1).

                Time line (ages in seconds; the last two rows are plain requests while the origin fails)
                  from age        0         60        90              660             86460
                  plain           fresh     stale     validate        validate        missing
                  max-age=0       validate  validate  validate        validate        missing
                  no-cache        validate  validate  validate        validate        missing
                  only-if-cached  fresh     stale     504             504             504
                  max-stale       fresh     stale     stale           stale           missing
                  If-None-Match   304       304       validate        validate        missing
                  unreachable     fresh     stale     stale-if-error  stale-if-error  error
                  503             fresh     stale     stale-if-error  error           error
                  Limits: fresh until 60 s, stale-while-revalidate until 90 s, stale-if-error until 660 s,
                    stale-if-unreachable until 86460 s and stored until 86460 s.
                  fresh: the stored response is served.
                  stale: the stored response is served, and refreshed if stale-while-revalidate applies.
                  validate: the origin is asked whether the stored response is unchanged.
                  missing: nothing is stored, and the response is fetched from the origin.
                  504: the request allows only stored responses, and no stored response can be used.
                  304: the client already has the stored response.
                  stale-if-error: the stored response is served in place of the origin's failure.
                  error: the origin's error response, or a 502 or 504 if it sent none.
                """
        ),
        Golden(
            name: "s-maxage beats max-age and Expires",
            file: """
                HTTP/2 200
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Cache-Control: max-age=10, s-maxage=3600
                Expires: Sun, 06 Nov 1994 09:49:37 GMT
                Age: 100


                """,
            text: """
                Stored: fresh for 3500 s (58 min 20 s); it was 100 s old on arrival

                Why
                  It is the response to a GET, with status 200, and neither the request nor the response forbids
                    storing it (RFC 9111 §3).

                Lifetime
                  Fresh for 3600 s (1 h), by s-maxage in Cache-Control (RFC 9111 §5.2.2.10).
                  max-age and Expires are ignored: another lifetime takes precedence (RFC 9111 §4.2.1).
                  It is stored only while it is fresh: s-maxage forbids serving it stale (RFC 9111 §4.2.4), and
                    there is no validator.

                Age
                  On arrival it was 100 s old: the greater of Age plus the response delay, and the time since Date
                    (RFC 9111 §4.2.3). Here Age is 100 s, the response delay was at most 0 s and Date is 0 s before
                    the arrival.

                Directives
                  "max-age=10": fresh for 10 s (RFC 9111 §5.2.2.1).
                  "s-maxage=3600": in shared caches, such as this one, fresh for 3600 s (1 h) (RFC 9111 §5.2.2.10).

                Request
                  The request is not known: a plain GET without fields is assumed.

                Validators
                  It has no valid ETag or Last-Modified: once stale, it is fetched whole (RFC 9111 §4.3).

                Time line (ages in seconds; the last two rows are plain requests while the origin fails)
                  from age        100    3600
                  plain           fresh  missing
                  max-age=0       fetch  missing
                  no-cache        fetch  missing
                  only-if-cached  fresh  504
                  max-stale       fresh  missing
                  If-None-Match   fresh  missing
                  unreachable     fresh  error
                  503             fresh  error
                  Limits: fresh until 3600 s and stored until 3600 s.
                  fresh: the stored response is served.
                  missing: nothing is stored, and the response is fetched from the origin.
                  fetch: the whole response is fetched from the origin.
                  504: the request allows only stored responses, and no stored response can be used.
                  error: the origin's error response, or a 502 or 504 if it sent none.
                """
        ),
        Golden(
            name: "private, with a cookie",
            file: """
                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Cache-Control: private
                Set-Cookie: id=1
                ETag: "a"


                """,
            text: """
                Not stored: the response says private, and 1 more reason

                Why
                  Cache-Control says private: the response is for one user, and this cache is shared
                    (RFC 9111 §5.2.2.7).
                  Remedy: Send public, or leave private out, if all clients may have the response; private="field"
                    excludes single fields.
                  The response sets a cookie, which all clients would get (RFC 9111 §7.3).
                  Remedy: Leave Set-Cookie out, or exclude it from storage by Cache-Control: private="set-cookie".
                  If nothing prevented this, it would be stored, and validated before it is used.

                Directives
                  "private": for one user, so shared caches do not store it (RFC 9111 §5.2.2.7).

                Request
                  The request is not known: a plain GET without fields is assumed.
                """
        ),
        Golden(
            name: "no-store",
            file: """
                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Cache-Control: no-store, no-cache, max-age=0
                Pragma: no-cache


                """,
            text: """
                Not stored: the response says no-store, and 1 more reason

                Why
                  Cache-Control says no-store (RFC 9111 §5.2.2.5).
                  Remedy: Leave no-store out; with no-cache and an ETag, every use is validated, and the body is not
                    sent again.
                  Cache-Control says no-cache, so every use needs a validation, and the response has no validator
                    (RFC 9111 §5.2.2.4).
                  Remedy: Send an ETag or a Last-Modified, or leave no-cache out.
                  If nothing prevented this, it would be stored, and validated before it is used.

                Directives
                  "no-store": no cache may store it (RFC 9111 §5.2.2.5).
                  "no-cache": must be validated before every use (RFC 9111 §5.2.2.4).
                  "max-age=0": fresh for 0 s (RFC 9111 §5.2.2.1).

                Request
                  The request is not known: a plain GET without fields is assumed.
                """
        ),
        Golden(
            name: "nothing said",
            file: """
                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Content-Type: text/html

                <p>

                """,
            text: """
                Not stored: the response has no usable lifetime

                Why
                  The response declares no lifetime, and there is no validator: it could never be used again
                    (RFC 9111 §3).
                  Remedy: Send max-age or s-maxage in Cache-Control, or an ETag or Last-Modified to validate with.

                Directives
                  There are no directives in Cache-Control.

                Request
                  The request is not known: a plain GET without fields is assumed.
                """
        ),
        Golden(
            name: "a heuristic lifetime from Last-Modified",
            file: """
                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT


                """,
            text: """
                Stored: fresh for 8640 s (2 h 24 min)

                Why
                  It is the response to a GET, with status 200, and neither the request nor the response forbids
                    storing it (RFC 9111 §3).

                Lifetime
                  Fresh for 8640 s (2 h 24 min), by a heuristic: a tenth of the time since Last-Modified, at most
                    86400 s (1 d) (RFC 9111 §4.2.2). Send max-age to set the lifetime.
                  Once stale, it may be served for 86400 s (1 d) if the origin cannot be reached (RFC 9111 §4.2.4).
                    It is stored for at most 95040 s (1 d 2 h), so that it can be validated.

                Age
                  On arrival it was 0 s old: the greater of Age plus the response delay, and the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response delay was at most 0 s and Date is 0 s
                    before the arrival.

                Directives
                  There are no directives in Cache-Control.

                Request
                  The request is not known: a plain GET without fields is assumed.

                Validators
                  A validation sends If-Modified-Since: Sat, 05 Nov 1994 08:49:37 GMT (RFC 9111 §4.3.1).

                Time line (ages in seconds; the last two rows are plain requests while the origin fails)
                  from age        0         8640            95040
                  plain           fresh     validate        missing
                  max-age=0       validate  validate        missing
                  no-cache        validate  validate        missing
                  only-if-cached  fresh     504             504
                  max-stale       fresh     stale           missing
                  If-None-Match   fresh     validate        missing
                  unreachable     fresh     stale-if-error  error
                  503             fresh     error           error
                  Limits: fresh until 8640 s, stale-if-unreachable until 95040 s and stored until 95040 s.
                  fresh: the stored response is served.
                  validate: the origin is asked whether the stored response is unchanged.
                  missing: nothing is stored, and the response is fetched from the origin.
                  504: the request allows only stored responses, and no stored response can be used.
                  stale: the stored response is served, and refreshed if stale-while-revalidate applies.
                  stale-if-error: the stored response is served in place of the origin's failure.
                  error: the origin's error response, or a 502 or 504 if it sent none.
                """
        ),
        Golden(
            name: "Expires that is no date",
            file: """
                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Expires: 0
                ETag: W/"a"


                """,
            text: """
                Stored: stale from the start

                Why
                  It is the response to a GET, with status 200, and neither the request nor the response forbids
                    storing it (RFC 9111 §3).

                Lifetime
                  Expires is not a date ("0"), and counts as a time in the past (RFC 9111 §5.3).
                  Once stale, it may be served for 86400 s (1 d) if the origin cannot be reached (RFC 9111 §4.2.4).
                    It is stored for at most 86400 s (1 d), so that it can be validated.

                Age
                  On arrival it was 0 s old: the greater of Age plus the response delay, and the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response delay was at most 0 s and Date is 0 s
                    before the arrival.

                Directives
                  There are no directives in Cache-Control.

                Request
                  The request is not known: a plain GET without fields is assumed.

                Validators
                  A validation sends If-None-Match: W/"a" (RFC 9111 §4.3.1).

                Time line (ages in seconds; the last two rows are plain requests while the origin fails)
                  from age        0               86400
                  plain           validate        missing
                  max-age=0       validate        missing
                  no-cache        validate        missing
                  only-if-cached  504             504
                  max-stale       stale           missing
                  If-None-Match   validate        missing
                  unreachable     stale-if-error  error
                  503             error           error
                  Limits: stale-if-unreachable until 86400 s and stored until 86400 s.
                  validate: the origin is asked whether the stored response is unchanged.
                  missing: nothing is stored, and the response is fetched from the origin.
                  504: the request allows only stored responses, and no stored response can be used.
                  stale: the stored response is served, and refreshed if stale-while-revalidate applies.
                  stale-if-error: the stored response is served in place of the origin's failure.
                  error: the origin's error response, or a 502 or 504 if it sent none.
                """
        ),
        Golden(
            name: "no-cache with a tag",
            file: """
                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Cache-Control: no-cache
                ETag: "a"


                """,
            text: """
                Stored: validated with the origin before every use

                Why
                  It is the response to a GET, with status 200, and neither the request nor the response forbids
                    storing it (RFC 9111 §3).

                Lifetime
                  It declares no lifetime, and there is no basis for a heuristic one: it is stale from the start
                    (RFC 9111 §4.2.2).
                  Once stale, it must be validated: no-cache forbids serving it stale (RFC 9111 §4.2.4). It is
                    stored for at most 86400 s (1 d), so that it can be validated.

                Age
                  On arrival it was 0 s old: the greater of Age plus the response delay, and the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response delay was at most 0 s and Date is 0 s
                    before the arrival.

                Directives
                  "no-cache": must be validated before every use (RFC 9111 §5.2.2.4).

                Request
                  The request is not known: a plain GET without fields is assumed.

                Validators
                  A validation sends If-None-Match: "a" (RFC 9111 §4.3.1).

                Time line (ages in seconds; the last two rows are plain requests while the origin fails)
                  from age        0         86400
                  plain           validate  missing
                  max-age=0       validate  missing
                  no-cache        validate  missing
                  only-if-cached  504       504
                  max-stale       validate  missing
                  If-None-Match   validate  missing
                  unreachable     error     error
                  503             error     error
                  Limits: stored until 86400 s.
                  validate: the origin is asked whether the stored response is unchanged.
                  missing: nothing is stored, and the response is fetched from the origin.
                  504: the request allows only stored responses, and no stored response can be used.
                  error: the origin's error response, or a 502 or 504 if it sent none.
                """
        ),
        Golden(
            name: "broken, double and unknown directives",
            file: """
                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Cache-Control: max-age=60, max-age=600, stale-if-error=soon, public=1, private="set-cookie", foo, immutable
                Set-Cookie: id=1


                """,
            text: """
                Stored: fresh for 60 s

                Why
                  It is the response to a GET, with status 200, and neither the request nor the response forbids
                    storing it (RFC 9111 §3).

                Lifetime
                  Fresh for 60 s, by max-age in Cache-Control (RFC 9111 §5.2.2.1).
                  Once stale, it may be served for 86400 s (1 d) if the origin cannot be reached (RFC 9111 §4.2.4).
                    It is stored for at most 86460 s (1 d).
                  While it is fresh, a reload (max-age=0) does not ask the origin (RFC 8246 §2).

                Age
                  On arrival it was 0 s old: the greater of Age plus the response delay, and the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response delay was at most 0 s and Date is 0 s
                    before the arrival.

                Directives
                  "max-age=60": fresh for 60 s (RFC 9111 §5.2.2.1).
                  "max-age=600": fresh for 600 s (10 min) (RFC 9111 §5.2.2.1). It is given more than once, and
                    another value applies.
                  "stale-if-error=soon": invalid: not a whole number of seconds, so it counts as 0 s
                    (RFC 9111 §4.2.1).
                  "public=1": ignored: public has no argument (RFC 9111 §5.2.2.9).
                  "private="set-cookie"": set-cookie is not stored with the response (RFC 9111 §5.2.2.7).
                  "foo": ignored: this cache does not know it (RFC 9111 §5.2.3).
                  "immutable": will not change while it is fresh, so a reload does not ask the origin (RFC 8246 §2).

                Request
                  The request is not known: a plain GET without fields is assumed.

                Cookies
                  Set-Cookie is not stored with the response, since Cache-Control names it: only this client gets
                    it.

                Validators
                  It has no valid ETag or Last-Modified: once stale, it is fetched whole (RFC 9111 §4.3).

                Time line (ages in seconds; the last two rows are plain requests while the origin fails)
                  from age        0      60              86460
                  plain           fresh  fetch           missing
                  max-age=0       fresh  fetch           missing
                  no-cache        fetch  fetch           missing
                  only-if-cached  fresh  504             504
                  max-stale       fresh  stale           missing
                  If-None-Match   fresh  fetch           missing
                  unreachable     fresh  stale-if-error  error
                  503             fresh  error           error
                  Limits: fresh until 60 s, stale-if-unreachable until 86460 s and stored until 86460 s.
                  fresh: the stored response is served.
                  fetch: the whole response is fetched from the origin.
                  missing: nothing is stored, and the response is fetched from the origin.
                  504: the request allows only stored responses, and no stored response can be used.
                  stale: the stored response is served, and refreshed if stale-while-revalidate applies.
                  stale-if-error: the stored response is served in place of the origin's failure.
                  error: the origin's error response, or a 502 or 504 if it sent none.
                """
        ),
        Golden(
            name: "a targeted field",
            file: """
                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                CDN-Cache-Control: max-age=600, must-revalidate
                Cache-Control: no-store
                Expires: 0


                """,
            text: """
                Stored: fresh for 600 s (10 min)

                Why
                  It is the response to a GET, with status 200, and neither the request nor the response forbids
                    storing it (RFC 9111 §3).

                Lifetime
                  Fresh for 600 s (10 min), by max-age in CDN-Cache-Control (RFC 9111 §5.2.2.1).
                  Expires is ignored: another lifetime takes precedence (RFC 9111 §4.2.1).
                  It is stored only while it is fresh: must-revalidate forbids serving it stale (RFC 9111 §4.2.4),
                    and there is no validator.

                Age
                  On arrival it was 0 s old: the greater of Age plus the response delay, and the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response delay was at most 0 s and Date is 0 s
                    before the arrival.

                Directives
                  CDN-Cache-Control takes precedence over Cache-Control and Expires (RFC 9213 §2.2).
                  "max-age=600": fresh for 600 s (10 min) (RFC 9111 §5.2.2.1).
                  "must-revalidate": must not be served stale (RFC 9111 §5.2.2.2).

                Request
                  The request is not known: a plain GET without fields is assumed.

                Validators
                  It has no valid ETag or Last-Modified: once stale, it is fetched whole (RFC 9111 §4.3).

                Time line (ages in seconds; the last two rows are plain requests while the origin fails)
                  from age        0      600
                  plain           fresh  missing
                  max-age=0       fetch  missing
                  no-cache        fetch  missing
                  only-if-cached  fresh  504
                  max-stale       fresh  missing
                  If-None-Match   fresh  missing
                  unreachable     fresh  error
                  503             fresh  error
                  Limits: fresh until 600 s and stored until 600 s.
                  fresh: the stored response is served.
                  missing: nothing is stored, and the response is fetched from the origin.
                  fetch: the whole response is fetched from the origin.
                  504: the request allows only stored responses, and no stored response can be used.
                  error: the origin's error response, or a 502 or 504 if it sent none.
                """
        ),
        Golden(
            name: "a targeted field that is broken",
            file: """
                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                CDN-Cache-Control: max-age=
                Cache-Control: max-age=5


                """,
            text: """
                Stored: fresh for 5 s

                Why
                  It is the response to a GET, with status 200, and neither the request nor the response forbids
                    storing it (RFC 9111 §3).

                Lifetime
                  Fresh for 5 s, by max-age in Cache-Control (RFC 9111 §5.2.2.1).
                  Once stale, it may be served for 86400 s (1 d) if the origin cannot be reached (RFC 9111 §4.2.4).
                    It is stored for at most 86405 s (1 d).

                Age
                  On arrival it was 0 s old: the greater of Age plus the response delay, and the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response delay was at most 0 s and Date is 0 s
                    before the arrival.

                Directives
                  CDN-Cache-Control is empty or not a dictionary of structured fields, and is ignored as a whole
                    (RFC 9213 §2.1).
                  "max-age=5": fresh for 5 s (RFC 9111 §5.2.2.1).

                Request
                  The request is not known: a plain GET without fields is assumed.

                Validators
                  It has no valid ETag or Last-Modified: once stale, it is fetched whole (RFC 9111 §4.3).

                Time line (ages in seconds; the last two rows are plain requests while the origin fails)
                  from age        0      5               86405
                  plain           fresh  fetch           missing
                  max-age=0       fetch  fetch           missing
                  no-cache        fetch  fetch           missing
                  only-if-cached  fresh  504             504
                  max-stale       fresh  stale           missing
                  If-None-Match   fresh  fetch           missing
                  unreachable     fresh  stale-if-error  error
                  503             fresh  error           error
                  Limits: fresh until 5 s, stale-if-unreachable until 86405 s and stored until 86405 s.
                  fresh: the stored response is served.
                  fetch: the whole response is fetched from the origin.
                  missing: nothing is stored, and the response is fetched from the origin.
                  504: the request allows only stored responses, and no stored response can be used.
                  stale: the stored response is served, and refreshed if stale-while-revalidate applies.
                  stale-if-error: the stored response is served in place of the origin's failure.
                  error: the origin's error response, or a 502 or 504 if it sent none.
                """
        ),
        Golden(
            name: "credentials that may be shared",
            file: """
                GET /me HTTP/1.1
                Host: example.org
                Authorization: Bearer x
                Cache-Control: max-age=30, min-fresh=5, foo

                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Cache-Control: must-revalidate, max-age=60


                """,
            text: """
                Stored: fresh for 60 s
                Key: GET:https://example.org/me

                Why
                  It is the response to a GET, with status 200, and neither the request nor the response forbids
                    storing it (RFC 9111 §3).

                Lifetime
                  Fresh for 60 s, by max-age in Cache-Control (RFC 9111 §5.2.2.1).
                  It is stored only while it is fresh: must-revalidate forbids serving it stale (RFC 9111 §4.2.4),
                    and there is no validator.

                Age
                  On arrival it was 0 s old: the greater of Age plus the response delay, and the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response delay was at most 0 s and Date is 0 s
                    before the arrival.

                Directives
                  "must-revalidate": must not be served stale (RFC 9111 §5.2.2.2).
                  "max-age=60": fresh for 60 s (RFC 9111 §5.2.2.1).

                Request
                  "max-age=30": no response that is older than 30 s (RFC 9111 §5.2.1.1).
                  "min-fresh=5": only a response that stays fresh for 5 s (RFC 9111 §5.2.1.3).
                  "foo": ignored: this cache does not know it, or its argument is invalid (RFC 9111 §5.2.3).

                Authorization
                  The request had credentials, and must-revalidate allows sharing the response (RFC 9111 §3.5).

                Validators
                  It has no valid ETag or Last-Modified: once stale, it is fetched whole (RFC 9111 §4.3).

                Time line (ages in seconds; the last two rows are plain requests while the origin fails)
                  from age        0      30     60
                  plain           fresh  fresh  missing
                  max-age=0       fetch  fetch  missing
                  no-cache        fetch  fetch  missing
                  only-if-cached  fresh  fresh  504
                  max-stale       fresh  fresh  missing
                  If-None-Match   fresh  fresh  missing
                  as it was       fresh  fetch  missing
                  unreachable     fresh  fresh  error
                  503             fresh  fresh  error
                  Limits: fresh until 60 s and stored until 60 s.
                  fresh: the stored response is served.
                  missing: nothing is stored, and the response is fetched from the origin.
                  fetch: the whole response is fetched from the origin.
                  504: the request allows only stored responses, and no stored response can be used.
                  error: the origin's error response, or a 502 or 504 if it sent none.
                """
        ),
        Golden(
            name: "credentials, and a policy of a route",
            isRoute: true,
            file: """
                GET /me HTTP/1.1
                Host: example.org
                Authorization: Bearer x

                HTTP/1.1 404 Not Found
                Date: Sun, 06 Nov 1994 08:49:37 GMT


                """,
            text: """
                Not stored: the request has credentials, and 2 more reasons

                Why
                  The request has a field with credentials, such as Authorization, and no user is part of the key.
                  Remedy: Declare in the policy that credentials do not affect responses, or add the user to the
                    key.
                  The rules store only responses with status 200, and this one has 404.
                  Remedy: Send the status 200, or use the rules of a gateway, which store every final status.
                  The request has credentials (Authorization), and the response does not say that it may be shared
                    (RFC 9111 §3.5).
                  Remedy: Send public, s-maxage or must-revalidate in Cache-Control, if all clients may have the
                    response.
                  If nothing prevented this, it would be stored, and fresh for 90 s.

                Directives
                  There are no directives in Cache-Control.
                """
        ),
        Golden(
            name: "a write",
            file: """
                PUT /users/7 HTTP/1.1
                Host: example.org
                Content-Length: 2

                {}HTTP/1.1 204 No Content
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Location: /users/8


                """,
            text: """
                Not stored: the request may change something

                Why
                  PUT may change something, so its response is not stored, and stored responses for /users/7 and
                    /users/8 are invalidated (RFC 9111 §4.4).
                  Remedy: Look at the response to a GET for this target.

                Directives
                  There are no directives in Cache-Control.
                """
        ),
        Golden(
            name: "a part",
            file: """
                GET /film HTTP/1.1
                Host: example.org
                Range: bytes=0-1

                HTTP/1.1 206 Partial Content
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Content-Range: bytes 0-1/9
                Cache-Control: max-age=60

                ab
                """,
            text: """
                Not stored: it is not a whole response
                Key: GET:https://example.org/film

                Why
                  A 206 is the response to a range or a condition, and not a whole response (RFC 9111 §3.3).
                  Remedy: Send the request without Range and conditions, as this cache does itself.

                Directives
                  "max-age=60": fresh for 60 s (RFC 9111 §5.2.2.1).
                """
        ),
        Golden(
            name: "the rules of a route",
            isRoute: true,
            file: """
                GET /posts HTTP/1.1
                Host: example.org

                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Surrogate-Key: posts 7


                """,
            text: """
                Stored: fresh for 90 s
                Key: GET:/posts

                Why
                  It is the response to a GET, with status 200, and neither the request nor the response forbids
                    storing it (RFC 9111 §3).

                Lifetime
                  Fresh for 90 s, by the rules: the response declares no lifetime.
                  It is stored only while it is fresh: the rules do not store stale responses.

                Age
                  On arrival it was 0 s old: the greater of Age plus the response delay, and the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response delay was at most 0 s and Date is 0 s
                    before the arrival.

                Directives
                  There are no directives in Cache-Control.

                Tags
                  Tags of the response: "posts" and "7".
                  Surrogate-Key is not sent to clients.

                Validators
                  The cache adds an ETag computed from the body. It is not validated, since the handler would have
                    to make the whole response to compare it.

                Time line (ages in seconds; the last two rows are plain requests while the origin fails)
                  from age        0      90
                  plain           fresh  missing
                  max-age=0       fetch  missing
                  no-cache        fetch  missing
                  only-if-cached  fresh  504
                  max-stale       fresh  missing
                  If-None-Match   304    missing
                  unreachable     fresh  error
                  503             fresh  error
                  Limits: fresh until 90 s and stored until 90 s.
                  fresh: the stored response is served.
                  missing: nothing is stored, and the response is fetched from the origin.
                  fetch: the whole response is fetched from the origin.
                  504: the request allows only stored responses, and no stored response can be used.
                  304: the client already has the stored response.
                  error: the origin's error response, or a 502 or 504 if it sent none.
                """
        ),
        Golden(
            name: "older than it may be",
            file: """
                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Cache-Control: s-maxage=60
                Age: 61


                """,
            text: """
                Not stored: the response has no usable lifetime

                Why
                  The response was 61 s old on arrival, which exceeds its lifetime of 60 s and the longest time for
                    which it could be stored (RFC 9111 §4.2).
                  Remedy: Send max-age or s-maxage in Cache-Control that is longer than the response takes to
                    arrive, or a validator.

                Directives
                  "s-maxage=60": in shared caches, such as this one, fresh for 60 s (RFC 9111 §5.2.2.10).

                Request
                  The request is not known: a plain GET without fields is assumed.
                """
        ),
        Golden(
            name: "a 404 without a word",
            file: """
                HTTP/1.1 404 Not Found
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                ETag: "a"


                """,
            text: """
                Stored: stale from the start

                Why
                  It is the response to a GET, with status 404, and neither the request nor the response forbids
                    storing it (RFC 9111 §3).

                Lifetime
                  It declares no lifetime, and there is no basis for a heuristic one: it is stale from the start
                    (RFC 9111 §4.2.2).
                  Once stale, it may be served for 86400 s (1 d) if the origin cannot be reached (RFC 9111 §4.2.4).
                    It is stored for at most 86400 s (1 d).

                Age
                  On arrival it was 0 s old: the greater of Age plus the response delay, and the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response delay was at most 0 s and Date is 0 s
                    before the arrival.

                Directives
                  There are no directives in Cache-Control.

                Request
                  The request is not known: a plain GET without fields is assumed.

                Validators
                  Its validators are not used: only successful responses are validated (RFC 9110 §13.2.1).

                Time line (ages in seconds; the last two rows are plain requests while the origin fails)
                  from age        0               86400
                  plain           fetch           missing
                  max-age=0       fetch           missing
                  no-cache        fetch           missing
                  only-if-cached  504             504
                  max-stale       stale           missing
                  If-None-Match   fetch           missing
                  unreachable     stale-if-error  error
                  503             error           error
                  Limits: stale-if-unreachable until 86400 s and stored until 86400 s.
                  fetch: the whole response is fetched from the origin.
                  missing: nothing is stored, and the response is fetched from the origin.
                  504: the request allows only stored responses, and no stored response can be used.
                  stale: the stored response is served, and refreshed if stale-while-revalidate applies.
                  stale-if-error: the stored response is served in place of the origin's failure.
                  error: the origin's error response, or a 502 or 504 if it sent none.
                """
        ),
    ]
}
