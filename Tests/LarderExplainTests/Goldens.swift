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
                  The answer to a GET, with status 200, and nothing in request or response forbids to store it
                    (RFC 9111 §3).

                Lifetime
                  Fresh for 60 s, by max-age in Cache-Control (RFC 9111 §5.2.2.1).
                  Once stale, it may be served for 30 s while it is refreshed (RFC 5861 §3), for 600 s (10 min)
                    where the origin fails (RFC 5861 §4) and for 86400 s (1 d) where the origin cannot be reached
                    (RFC 9111 §4.2.4). It is kept for 86460 s (1 d) at most, to be validated.

                Age
                  On arrival it was 0 s old: the greater of Age plus the way here, and of the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response took 0 s at most and Date lies 0 s before
                    its arrival.

                Directives
                  "public": any cache may store it (RFC 9111 §5.2.2.9).
                  "max-age=60": fresh for 60 s (RFC 9111 §5.2.2.1).
                  "stale-while-revalidate=30": while it is refreshed, may be served stale for 30 s (RFC 5861 §3).
                  "stale-if-error=600": where the origin fails, may be served stale for 600 s (10 min)
                    (RFC 5861 §4).

                Vary
                  Answers only requests that have the same in Accept and Accept-Encoding (RFC 9111 §4.1).
                  This request had "accept:application/json" and "accept-encoding", where a name alone stands for a
                    field that was not there.

                Tags
                  Can be invalidated by "posts" and "user%207".
                  Cache-Tag is not sent to clients.

                Validators
                  A revalidation asks with If-None-Match: "v1" and If-Modified-Since: Sun, 06 Nov 1994 08:00:00 GMT
                    (RFC 9111 §4.3.1).

                Time line (ages in seconds; the last two: a plain request, where the origin fails so)
                  from age        0         60        90        660       86460
                  plain           fresh     stale     validate  validate  gone
                  max-age=0       validate  validate  validate  validate  gone
                  no-cache        validate  validate  validate  validate  gone
                  only-if-cached  fresh     stale     504       504       504
                  max-stale       fresh     stale     stale     stale     gone
                  If-None-Match   304       304       validate  validate  gone
                  unreachable     fresh     stale     kept      kept      error
                  503             fresh     stale     kept      error     error
                  The ages at which something ends: fresh until 60, stale-while-revalidate until 90, stale-if-error
                    until 660, stale-if-unreachable until 86460 and keep until 86460.
                  fresh: the stored response.
                  stale: the stored response, past its lifetime; refreshed in the background where it says so.
                  validate: the origin is asked whether the stored response is still good.
                  gone: nothing is kept, and the origin is asked.
                  504: the client wants no answer of the origin's.
                  304: from the store, as the client has the same.
                  kept: the stored response, in place of the origin's failure.
                  error: the origin's failure, or a 502 or 504 where it sent nothing.
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
                Stored: fresh for 3500 s (58 min 20 s); it was 100 s old when it came

                Why
                  The answer to a GET, with status 200, and nothing in request or response forbids to store it
                    (RFC 9111 §3).

                Lifetime
                  Fresh for 3600 s (1 h), by s-maxage in Cache-Control (RFC 9111 §5.2.2.10).
                  max-age and Expires do not count beside it (RFC 9111 §4.2.1).
                  It is kept no longer than it is fresh: s-maxage forbids to serve it stale (RFC 9111 §4.2.4), and
                    there is no validator.

                Age
                  On arrival it was 100 s old: the greater of Age plus the way here, and of the time since Date
                    (RFC 9111 §4.2.3). Here Age says 100 s, the response took 0 s at most and Date lies 0 s before
                    its arrival.

                Directives
                  "max-age=10": fresh for 10 s (RFC 9111 §5.2.2.1).
                  "s-maxage=3600": in shared caches, such as this one, fresh for 3600 s (1 h) (RFC 9111 §5.2.2.10).

                Request
                  No request was seen: a plain GET without fields is assumed.

                Validators
                  No ETag and no Last-Modified that could be read: once stale, it is fetched whole (RFC 9111 §4.3).

                Time line (ages in seconds; the last two: a plain request, where the origin fails so)
                  from age        100    3600
                  plain           fresh  gone
                  max-age=0       fetch  gone
                  no-cache        fetch  gone
                  only-if-cached  fresh  504
                  max-stale       fresh  gone
                  If-None-Match   fresh  gone
                  unreachable     fresh  error
                  503             fresh  error
                  The ages at which something ends: fresh until 3600 and keep until 3600.
                  fresh: the stored response.
                  gone: nothing is kept, and the origin is asked.
                  fetch: the origin is asked for the whole response.
                  504: the client wants no answer of the origin's.
                  error: the origin's failure, or a 502 or 504 where it sent nothing.
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
                Not stored: private, and 1 more reason

                Why
                  Cache-Control says private: the response is for one user, and this cache is shared
                    (RFC 9111 §5.2.2.7).
                  Instead: Send public, or no word of privacy, if everybody may have the response; private="field"
                    withholds single fields.
                  The response sets a cookie, which everybody would get (RFC 9111 §7.3).
                  Instead: Leave Set-Cookie out, or keep it from being stored by Cache-Control:
                    private="set-cookie".
                  With all that out of the way it would be stored, and validated before it is used.

                Directives
                  "private": for one user, so that no shared cache stores it (RFC 9111 §5.2.2.7).

                Request
                  No request was seen: a plain GET without fields is assumed.
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
                Not stored: no-store, and 1 more reason

                Why
                  Cache-Control says no-store (RFC 9111 §5.2.2.5).
                  Instead: Leave no-store out; no-cache with an ETag has every use validated and still saves the
                    transfer.
                  Cache-Control says no-cache, so that every use needs a validation, and the response has no
                    validator to ask with (RFC 9111 §5.2.2.4).
                  Instead: Send an ETag or a Last-Modified, or leave no-cache out.
                  With all that out of the way it would be stored, and validated before it is used.

                Directives
                  "no-store": no cache may store it (RFC 9111 §5.2.2.5).
                  "no-cache": must be validated before every use (RFC 9111 §5.2.2.4).
                  "max-age=0": fresh for 0 s (RFC 9111 §5.2.2.1).

                Request
                  No request was seen: a plain GET without fields is assumed.
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
                Not stored: no-freshness

                Why
                  Nothing says how long the response is fresh, and there is no validator: the response could never
                    be used again (RFC 9111 §3).
                  Instead: Send max-age or s-maxage in Cache-Control, or an ETag or Last-Modified to validate with.

                Directives
                  Cache-Control says nothing.

                Request
                  No request was seen: a plain GET without fields is assumed.
                """
        ),
        Golden(
            name: "a guess from Last-Modified",
            file: """
                HTTP/1.1 200 OK
                Date: Sun, 06 Nov 1994 08:49:37 GMT
                Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT


                """,
            text: """
                Stored: fresh for 8640 s (2 h 24 min)

                Why
                  The answer to a GET, with status 200, and nothing in request or response forbids to store it
                    (RFC 9111 §3).

                Lifetime
                  Fresh for 8640 s (2 h 24 min), which is guessed: a tenth of the time since Last-Modified, at most
                    86400 s (1 d) (RFC 9111 §4.2.2). Send max-age to say it yourself.
                  Once stale, it may be served for 86400 s (1 d) where the origin cannot be reached
                    (RFC 9111 §4.2.4). It is kept for 95040 s (1 d 2 h) at most, to be validated.

                Age
                  On arrival it was 0 s old: the greater of Age plus the way here, and of the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response took 0 s at most and Date lies 0 s before
                    its arrival.

                Directives
                  Cache-Control says nothing.

                Request
                  No request was seen: a plain GET without fields is assumed.

                Validators
                  A revalidation asks with If-Modified-Since: Sat, 05 Nov 1994 08:49:37 GMT (RFC 9111 §4.3.1).

                Time line (ages in seconds; the last two: a plain request, where the origin fails so)
                  from age        0         8640      95040
                  plain           fresh     validate  gone
                  max-age=0       validate  validate  gone
                  no-cache        validate  validate  gone
                  only-if-cached  fresh     504       504
                  max-stale       fresh     stale     gone
                  If-None-Match   fresh     validate  gone
                  unreachable     fresh     kept      error
                  503             fresh     error     error
                  The ages at which something ends: fresh until 8640, stale-if-unreachable until 95040 and keep
                    until 95040.
                  fresh: the stored response.
                  validate: the origin is asked whether the stored response is still good.
                  gone: nothing is kept, and the origin is asked.
                  504: the client wants no answer of the origin's.
                  stale: the stored response, past its lifetime; refreshed in the background where it says so.
                  kept: the stored response, in place of the origin's failure.
                  error: the origin's failure, or a 502 or 504 where it sent nothing.
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
                  The answer to a GET, with status 200, and nothing in request or response forbids to store it
                    (RFC 9111 §3).

                Lifetime
                  Expires is no date ("0"), which stands for the past (RFC 9111 §5.3).
                  Once stale, it may be served for 86400 s (1 d) where the origin cannot be reached
                    (RFC 9111 §4.2.4). It is kept for 86400 s (1 d) at most, to be validated.

                Age
                  On arrival it was 0 s old: the greater of Age plus the way here, and of the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response took 0 s at most and Date lies 0 s before
                    its arrival.

                Directives
                  Cache-Control says nothing.

                Request
                  No request was seen: a plain GET without fields is assumed.

                Validators
                  A revalidation asks with If-None-Match: W/"a" (RFC 9111 §4.3.1).

                Time line (ages in seconds; the last two: a plain request, where the origin fails so)
                  from age        0         86400
                  plain           validate  gone
                  max-age=0       validate  gone
                  no-cache        validate  gone
                  only-if-cached  504       504
                  max-stale       stale     gone
                  If-None-Match   validate  gone
                  unreachable     kept      error
                  503             error     error
                  The ages at which something ends: stale-if-unreachable until 86400 and keep until 86400.
                  validate: the origin is asked whether the stored response is still good.
                  gone: nothing is kept, and the origin is asked.
                  504: the client wants no answer of the origin's.
                  stale: the stored response, past its lifetime; refreshed in the background where it says so.
                  kept: the stored response, in place of the origin's failure.
                  error: the origin's failure, or a 502 or 504 where it sent nothing.
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
                  The answer to a GET, with status 200, and nothing in request or response forbids to store it
                    (RFC 9111 §3).

                Lifetime
                  Nothing says how long it is fresh, and nothing lets it be guessed: it is stale from the start
                    (RFC 9111 §4.2.2).
                  Once stale, it has to be validated: no-cache forbids to serve it stale (RFC 9111 §4.2.4). It is
                    kept for 86400 s (1 d) at most, to be validated.

                Age
                  On arrival it was 0 s old: the greater of Age plus the way here, and of the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response took 0 s at most and Date lies 0 s before
                    its arrival.

                Directives
                  "no-cache": must be validated before every use (RFC 9111 §5.2.2.4).

                Request
                  No request was seen: a plain GET without fields is assumed.

                Validators
                  A revalidation asks with If-None-Match: "a" (RFC 9111 §4.3.1).

                Time line (ages in seconds; the last two: a plain request, where the origin fails so)
                  from age        0         86400
                  plain           validate  gone
                  max-age=0       validate  gone
                  no-cache        validate  gone
                  only-if-cached  504       504
                  max-stale       validate  gone
                  If-None-Match   validate  gone
                  unreachable     error     error
                  503             error     error
                  The ages at which something ends: keep until 86400.
                  validate: the origin is asked whether the stored response is still good.
                  gone: nothing is kept, and the origin is asked.
                  504: the client wants no answer of the origin's.
                  error: the origin's failure, or a 502 or 504 where it sent nothing.
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
                  The answer to a GET, with status 200, and nothing in request or response forbids to store it
                    (RFC 9111 §3).

                Lifetime
                  Fresh for 60 s, by max-age in Cache-Control (RFC 9111 §5.2.2.1).
                  Once stale, it may be served for 86400 s (1 d) where the origin cannot be reached
                    (RFC 9111 §4.2.4). It is kept for 86460 s (1 d) at most.
                  While it is fresh, a reload (max-age=0) does not ask the origin (RFC 8246 §2).

                Age
                  On arrival it was 0 s old: the greater of Age plus the way here, and of the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response took 0 s at most and Date lies 0 s before
                    its arrival.

                Directives
                  "max-age=60": fresh for 60 s (RFC 9111 §5.2.2.1).
                  "max-age=600": fresh for 600 s (10 min) (RFC 9111 §5.2.2.1). It is given more than once, and
                    another one counts.
                  "stale-if-error=soon": broken: no whole number of seconds, so that it counts as 0
                    (RFC 9111 §4.2.1).
                  "public=1": ignored: public takes no argument, and what permits is read strictly
                    (RFC 9111 §5.2.2.9).
                  "private="set-cookie"": set-cookie is not stored with the response (RFC 9111 §5.2.2.7).
                  "foo": ignored: not known to this cache, which must not mind (RFC 9111 §5.2.3).
                  "immutable": will not change while it is fresh, so that a reload asks nobody (RFC 8246 §2).

                Request
                  No request was seen: a plain GET without fields is assumed.

                Cookies
                  Set-Cookie is taken out of what is stored, as Cache-Control names it: only this client gets it.

                Validators
                  No ETag and no Last-Modified that could be read: once stale, it is fetched whole (RFC 9111 §4.3).

                Time line (ages in seconds; the last two: a plain request, where the origin fails so)
                  from age        0      60     86460
                  plain           fresh  fetch  gone
                  max-age=0       fresh  fetch  gone
                  no-cache        fetch  fetch  gone
                  only-if-cached  fresh  504    504
                  max-stale       fresh  stale  gone
                  If-None-Match   fresh  fetch  gone
                  unreachable     fresh  kept   error
                  503             fresh  error  error
                  The ages at which something ends: fresh until 60, stale-if-unreachable until 86460 and keep until
                    86460.
                  fresh: the stored response.
                  fetch: the origin is asked for the whole response.
                  gone: nothing is kept, and the origin is asked.
                  504: the client wants no answer of the origin's.
                  stale: the stored response, past its lifetime; refreshed in the background where it says so.
                  kept: the stored response, in place of the origin's failure.
                  error: the origin's failure, or a 502 or 504 where it sent nothing.
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
                  The answer to a GET, with status 200, and nothing in request or response forbids to store it
                    (RFC 9111 §3).

                Lifetime
                  Fresh for 600 s (10 min), by max-age in CDN-Cache-Control (RFC 9111 §5.2.2.1).
                  Expires does not count beside it (RFC 9111 §4.2.1).
                  It is kept no longer than it is fresh: must-revalidate forbids to serve it stale
                    (RFC 9111 §4.2.4), and there is no validator.

                Age
                  On arrival it was 0 s old: the greater of Age plus the way here, and of the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response took 0 s at most and Date lies 0 s before
                    its arrival.

                Directives
                  CDN-Cache-Control is the field that counts, and Cache-Control and Expires do not (RFC 9213 §2.2).
                  "max-age=600": fresh for 600 s (10 min) (RFC 9111 §5.2.2.1).
                  "must-revalidate": must not be served stale (RFC 9111 §5.2.2.2).

                Request
                  No request was seen: a plain GET without fields is assumed.

                Validators
                  No ETag and no Last-Modified that could be read: once stale, it is fetched whole (RFC 9111 §4.3).

                Time line (ages in seconds; the last two: a plain request, where the origin fails so)
                  from age        0      600
                  plain           fresh  gone
                  max-age=0       fetch  gone
                  no-cache        fetch  gone
                  only-if-cached  fresh  504
                  max-stale       fresh  gone
                  If-None-Match   fresh  gone
                  unreachable     fresh  error
                  503             fresh  error
                  The ages at which something ends: fresh until 600 and keep until 600.
                  fresh: the stored response.
                  gone: nothing is kept, and the origin is asked.
                  fetch: the origin is asked for the whole response.
                  504: the client wants no answer of the origin's.
                  error: the origin's failure, or a 502 or 504 where it sent nothing.
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
                  The answer to a GET, with status 200, and nothing in request or response forbids to store it
                    (RFC 9111 §3).

                Lifetime
                  Fresh for 5 s, by max-age in Cache-Control (RFC 9111 §5.2.2.1).
                  Once stale, it may be served for 86400 s (1 d) where the origin cannot be reached
                    (RFC 9111 §4.2.4). It is kept for 86405 s (1 d) at most.

                Age
                  On arrival it was 0 s old: the greater of Age plus the way here, and of the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response took 0 s at most and Date lies 0 s before
                    its arrival.

                Directives
                  CDN-Cache-Control is empty or no dictionary of structured fields, and ignored as a whole
                    (RFC 9213 §2.1).
                  "max-age=5": fresh for 5 s (RFC 9111 §5.2.2.1).

                Request
                  No request was seen: a plain GET without fields is assumed.

                Validators
                  No ETag and no Last-Modified that could be read: once stale, it is fetched whole (RFC 9111 §4.3).

                Time line (ages in seconds; the last two: a plain request, where the origin fails so)
                  from age        0      5      86405
                  plain           fresh  fetch  gone
                  max-age=0       fetch  fetch  gone
                  no-cache        fetch  fetch  gone
                  only-if-cached  fresh  504    504
                  max-stale       fresh  stale  gone
                  If-None-Match   fresh  fetch  gone
                  unreachable     fresh  kept   error
                  503             fresh  error  error
                  The ages at which something ends: fresh until 5, stale-if-unreachable until 86405 and keep until
                    86405.
                  fresh: the stored response.
                  fetch: the origin is asked for the whole response.
                  gone: nothing is kept, and the origin is asked.
                  504: the client wants no answer of the origin's.
                  stale: the stored response, past its lifetime; refreshed in the background where it says so.
                  kept: the stored response, in place of the origin's failure.
                  error: the origin's failure, or a 502 or 504 where it sent nothing.
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
                  The answer to a GET, with status 200, and nothing in request or response forbids to store it
                    (RFC 9111 §3).

                Lifetime
                  Fresh for 60 s, by max-age in Cache-Control (RFC 9111 §5.2.2.1).
                  It is kept no longer than it is fresh: must-revalidate forbids to serve it stale
                    (RFC 9111 §4.2.4), and there is no validator.

                Age
                  On arrival it was 0 s old: the greater of Age plus the way here, and of the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response took 0 s at most and Date lies 0 s before
                    its arrival.

                Directives
                  "must-revalidate": must not be served stale (RFC 9111 §5.2.2.2).
                  "max-age=60": fresh for 60 s (RFC 9111 §5.2.2.1).

                Request
                  "max-age=30": nothing older than 30 s, please (RFC 9111 §5.2.1.1).
                  "min-fresh=5": fresh for 5 s to come, please (RFC 9111 §5.2.1.3).
                  "foo": ignored: not known to this cache, or with a broken argument (RFC 9111 §5.2.3).

                Authorization
                  The request had credentials, and must-revalidate lets the response be shared (RFC 9111 §3.5).

                Validators
                  No ETag and no Last-Modified that could be read: once stale, it is fetched whole (RFC 9111 §4.3).

                Time line (ages in seconds; the last two: a plain request, where the origin fails so)
                  from age        0      30     60
                  plain           fresh  fresh  gone
                  max-age=0       fetch  fetch  gone
                  no-cache        fetch  fetch  gone
                  only-if-cached  fresh  fresh  504
                  max-stale       fresh  fresh  gone
                  If-None-Match   fresh  fresh  gone
                  as it was       fresh  fetch  gone
                  unreachable     fresh  fresh  error
                  503             fresh  fresh  error
                  The ages at which something ends: fresh until 60 and keep until 60.
                  fresh: the stored response.
                  gone: nothing is kept, and the origin is asked.
                  fetch: the origin is asked for the whole response.
                  504: the client wants no answer of the origin's.
                  error: the origin's failure, or a 502 or 504 where it sent nothing.
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
                Not stored: authorization, and 2 more reasons

                Why
                  The request has a field with credentials, such as Authorization, and no user is part of the key.
                  Instead: Declare in the policy that credentials do not matter, or keep users apart by key.
                  The rules store responses with status 200 only, and this one has 404.
                  Instead: Answer with 200, or cache by the rules of a gateway, which store every final status.
                  The request has credentials (Authorization), and the response does not say that it may be shared
                    (RFC 9111 §3.5).
                  Instead: Send public, s-maxage or must-revalidate in Cache-Control, if everybody may have the
                    response.
                  With all that out of the way it would be stored, and fresh for 90 s.

                Directives
                  Cache-Control says nothing.
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
                Not stored: write

                Why
                  PUT may change something, so that its answer is not stored, and what is stored for /users/7 and
                    /users/8 is invalidated (RFC 9111 §4.4).
                  Instead: Look at the GET for this target.

                Directives
                  Cache-Control says nothing.
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
                Not stored: partial
                Key: GET:https://example.org/film

                Why
                  A 206 answers a range or a condition, and is not the whole response (RFC 9111 §3.3).
                  Instead: Ask without Range and without conditions; this cache asks so by itself.

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
                  The answer to a GET, with status 200, and nothing in request or response forbids to store it
                    (RFC 9111 §3).

                Lifetime
                  Fresh for 90 s, by the rules: the response itself says nothing.
                  It is kept no longer than it is fresh: the rules keep nothing beyond.

                Age
                  On arrival it was 0 s old: the greater of Age plus the way here, and of the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response took 0 s at most and Date lies 0 s before
                    its arrival.

                Directives
                  Cache-Control says nothing.

                Tags
                  Can be invalidated by "posts" and "7".
                  Surrogate-Key is not sent to clients.

                Validators
                  The cache adds an ETag made of the body. The handler is always asked for the whole: to compare the
                    response it would have to make it.

                Time line (ages in seconds; the last two: a plain request, where the origin fails so)
                  from age        0      90
                  plain           fresh  gone
                  max-age=0       fetch  gone
                  no-cache        fetch  gone
                  only-if-cached  fresh  504
                  max-stale       fresh  gone
                  If-None-Match   304    gone
                  unreachable     fresh  error
                  503             fresh  error
                  The ages at which something ends: fresh until 90 and keep until 90.
                  fresh: the stored response.
                  gone: nothing is kept, and the origin is asked.
                  fetch: the origin is asked for the whole response.
                  504: the client wants no answer of the origin's.
                  304: from the store, as the client has the same.
                  error: the origin's failure, or a 502 or 504 where it sent nothing.
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
                Not stored: no-freshness

                Why
                  The response was 61 s old when it came, past its lifetime of 60 s and all that it could be kept
                    for (RFC 9111 §4.2).
                  Instead: Send max-age or s-maxage in Cache-Control that is longer than the response takes to get
                    here, or a validator.

                Directives
                  "s-maxage=60": in shared caches, such as this one, fresh for 60 s (RFC 9111 §5.2.2.10).

                Request
                  No request was seen: a plain GET without fields is assumed.
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
                  The answer to a GET, with status 404, and nothing in request or response forbids to store it
                    (RFC 9111 §3).

                Lifetime
                  Nothing says how long it is fresh, and nothing lets it be guessed: it is stale from the start
                    (RFC 9111 §4.2.2).
                  Once stale, it may be served for 86400 s (1 d) where the origin cannot be reached
                    (RFC 9111 §4.2.4). It is kept for 86400 s (1 d) at most.

                Age
                  On arrival it was 0 s old: the greater of Age plus the way here, and of the time since Date
                    (RFC 9111 §4.2.3). Here there is no Age, the response took 0 s at most and Date lies 0 s before
                    its arrival.

                Directives
                  Cache-Control says nothing.

                Request
                  No request was seen: a plain GET without fields is assumed.

                Validators
                  Its validators are of no use: only successful responses are validated (RFC 9110 §13.2.1).

                Time line (ages in seconds; the last two: a plain request, where the origin fails so)
                  from age        0      86400
                  plain           fetch  gone
                  max-age=0       fetch  gone
                  no-cache        fetch  gone
                  only-if-cached  504    504
                  max-stale       stale  gone
                  If-None-Match   fetch  gone
                  unreachable     kept   error
                  503             error  error
                  The ages at which something ends: stale-if-unreachable until 86400 and keep until 86400.
                  fetch: the origin is asked for the whole response.
                  gone: nothing is kept, and the origin is asked.
                  504: the client wants no answer of the origin's.
                  stale: the stored response, past its lifetime; refreshed in the background where it says so.
                  kept: the stored response, in place of the origin's failure.
                  error: the origin's failure, or a 502 or 504 where it sent nothing.
                """
        ),
    ]
}
