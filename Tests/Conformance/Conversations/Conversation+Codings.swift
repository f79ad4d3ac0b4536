private let fresh = "Cache-Control: max-age=60"
private let brief = "Cache-Control: max-age=10"
private let gzipped = "Content-Encoding: gzip"
private let byEncoding = "Vary: Accept-Encoding"
private let gzip = "Accept-Encoding: gzip, deflate"

extension Conversation {
    // MARK: Content codings

    static let codings: [Conversation] = [
        Conversation(
            "coding-without-vary",
            "9110 §12.5.5",
            .get("/a", gzip).answered(200, fresh, gzipped, saying: "gzip").asked(),
            .get().answered(200, fresh).asked(),
            .get("/a", "Accept-Encoding: deflate,gzip;q=1.0").gets(from: 1),
            .get().gets(from: 2),
            .get("/a", "Accept-Encoding: identity").gets(from: 2)
        ),
        Conversation(
            "coding-without-vary-identity-first",
            "9110 §12.5.5",
            .get().answered(200, fresh).asked(),
            .get("/a", gzip).answered(200, fresh, gzipped, saying: "gzip").asked(),
            .get("/a", gzip).gets(from: 2),
            .get().gets(from: 1)
        ),
        Conversation(
            "coding-with-vary-and-identity-without",
            "9111 §4.1",
            .get().answered(200, fresh).asked(),
            .get("/a", gzip).answered(200, fresh, gzipped, byEncoding, saying: "gzip").asked(),
            .get("/a", gzip).gets(from: 2),
            .get().gets(from: 1),
            .get("/a", "Accept-Encoding: br").answered(200, fresh, "Content-Encoding: br", byEncoding).asked(),
            .get("/a", "Accept-Encoding: br").gets(from: 5),
            .get("/a", gzip).gets(from: 2),
            .get().gets(from: 1)
        ),
        Conversation(
            "uncompressed-serves-every-coding",
            "9110 §12.5.5",
            .get().answered(200, fresh).asked(),
            .get("/a", gzip).answered(200, fresh).asked(),
            .get("/a", gzip).gets(from: 2),
            .get("/a", "Accept-Encoding: gzip").gets(from: 2),
            .get().gets(from: 2)
        ),
        Conversation(
            "uncompressed-that-is-forbidden-is-removed",
            "9111 §4",
            .get().answered(200, fresh).asked(),
            .get("/a", gzip).answered(200, fresh).asked(),
            .get("/a", "Cache-Control: no-cache").answered(200, "Cache-Control: private").asked(),
            .get().answered(200, fresh).asked()
        ),
        Conversation(
            "coding-not-asked-for",
            "9110 §12.5.3",
            .get("/a", "Accept-Encoding: identity").answered(200, fresh, gzipped, saying: "gzip").asked()
                .having(gzipped),
            .get("/a", "Accept-Encoding: identity").answered(200, fresh).asked(),
            .get("/a", "Accept-Encoding: identity").gets(from: 2)
        ),
        Conversation(
            "coding-validates-the-matching-variant",
            "9111 §4.3.1",
            .get("/a", gzip).answered(200, brief, gzipped, "ETag: \"z\"", saying: "gzip").asked(),
            .get().answered(200, brief, "ETag: \"i\"").asked(without: ["If-None-Match"]),
            .get("/a", gzip).after(15).answered(304, "ETag: \"z\"").asked(with: "If-None-Match: \"z\"").gets(from: 1),
            .get().answered(304, "ETag: \"i\"").asked(with: "If-None-Match: \"i\"").gets(from: 2),
            .get("/a", gzip).gets(from: 1)
        ),
        Conversation(
            "uncompressed-serves-every-coding-after-a-304",
            "9111 §4.3.4",
            .get("/a", gzip).answered(200, brief, "ETag: \"a\"").asked(),
            .get().after(15).answered(304, "ETag: \"a\"").asked(with: "If-None-Match: \"a\"").gets(from: 1),
            .get("/a", gzip).gets(from: 1)
        ),
        Conversation(
            "coding-that-the-origin-drops",
            "9111 §4.1",
            .get("/a", gzip).answered(200, brief, gzipped, saying: "gzip").asked(),
            .get("/a", gzip).after(15).answered(200, fresh).asked(),
            .get("/a", gzip).gets(from: 2),
            .get().gets(from: 2)
        ),
        Conversation(
            "coding-spellings-of-eleven-clients",
            "9110 §12.5.3",
            .get("/a", "Accept-Encoding: gzip, deflate, br, zstd").answered(200, fresh, gzipped, byEncoding).asked(),
            .get("/a", "Accept-Encoding: gzip,deflate,br,zstd").gets(from: 1),
            .get("/a", "Accept-Encoding: deflate, gzip, br, zstd").gets(from: 1),
            .get("/a", "Accept-Encoding: br;q=1.0, gzip;q=1, deflate, zstd").gets(from: 1),
            .get("/a", "Accept-Encoding: gzip, deflate, br").answered(200, fresh, gzipped, byEncoding).asked(),
            .get("/a", "Accept-Encoding: br, gzip, deflate").gets(from: 5),
            .get("/a", "Accept-Encoding: GZIP,DEFLATE,BR").gets(from: 5),
            .get("/a", "Accept-Encoding: gzip, deflate").answered(200, fresh, gzipped, byEncoding).asked(),
            .get("/a", "Accept-Encoding: gzip,deflate").gets(from: 8),
            .get("/a", "Accept-Encoding: deflate, gzip").gets(from: 8),
            .get("/a", "Accept-Encoding: gzip;q=1.0, deflate").gets(from: 8)
        ),
        Conversation(
            "coding-concurrent-of-two-kinds",
            "9110 §12.5.3",
            .get("/a", gzip).byClients(4).answered(200, fresh, gzipped, saying: "gzip").asked(),
            .get().byClients(4).answered(200, fresh).asked(),
            .get("/a", gzip).gets(from: 1),
            .get().gets(from: 2)
        ),
        Conversation(
            "errors-are-not-stored-for-long",
            "errors",
            .get().answered(500, "Cache-Control: s-maxage=31536000").asked(),
            .get().after(9).gets(500, from: 1),
            .get().after(1).answered(200, fresh).asked(),
            .get().gets(from: 3)
        ),
    ]
}
