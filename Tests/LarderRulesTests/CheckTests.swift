import Testing

@testable import LarderRules

@Suite(.timeLimit(.minutes(5))) struct CheckTests {
    @Test func `a check tells in words what each route does`() {
        let check = GatewayCheck.run(Sample.everything)
        #expect(check.mistakes.isEmpty && check.warnings.isEmpty)
        let expected = """
            https://[::]:8443 passes requests on to https://api.internal:8443, or where a route says so.
            Responses are kept in Redis, up to 128 variants under one key. With a status of 5xx they are fresh for \
            10s at most, or as a route says. The first route that matches counts.

            requests for           go to   and what comes back is
            /account/**            api     never kept
                                           a write that succeeds invalidates the tag accounts, /me, /profiles/**
            /api/posts/*/comments  api     fresh as long as it says, or for 30s where it says nothing
                                           served stale for 5m more while a new one is fetched
                                           served stale for 1d more where the origin fails
                                           served stale after 200ms if the origin is slow
                                           kept apart by Accept-Language
                                           past the cache for requests with a cookie
                                           the same whatever Cache-Control a client sends
                                           past the cache for requests with the cookie session or wordpress_logged_in_*
                                           past the cache for requests with the parameter preview
                                           past the cache for requests with the field X-Debug
                                           kept up to 16MiB
                                           cached by Shop-Cache-Control, CDN-Cache-Control before Cache-Control
                                           tagged posts, comments
                                           tagged by the fields Cache-Tag
                                           waited for 2s where another request fetches it
            *.img.example.org/**   images  fresh for 2h whatever it says, but no-store, private or no-cache
                                           fresh for 1m at most with a status of 5xx
                                           the same whatever the parameters utm_*, fbclid
                                           fetched without cookies, and the same for everybody
                                           kept up to 64MiB
                                           not kept with more than 2000 tags of its own
                                           a write that fails with a 5xx invalidates as well
            everything else        api     fresh as long as it says, or a guess from Last-Modified
                                           kept up to 16MiB

            """
        #expect(check.summary == expected)
    }

    @Test func `a check of what is wrong has no table, and tells no secrets`() {
        let text = Sample.everything.replacing("ttl: 30s", with: "ttl: 30")
        let check = GatewayCheck.run(text)
        #expect(check.lines.count == 1 && check.summary.isEmpty)
        #expect(!GatewayCheck.run(Sample.everything).summary.contains("secret"))
    }
}
