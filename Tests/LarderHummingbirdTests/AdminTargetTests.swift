import LarderHummingbird
import Testing

/// The targets of admin requests, as logs show them.
@Suite(.timeLimit(.minutes(5))) struct AdminTargetTests {
    @Test(arguments: [
        ("/larder/v1/entry?key=GET:/a", "/larder/v1/entry?key=GET:/a"),
        ("/larder/v1/entry?field=Cookie:+a=b&key=a", "/larder/v1/entry?field=Cookie:(hidden)&key=a"),
        (
            "/larder/v1/entry?url=a&field=Authorization%3A%20Bearer%20secret",
            "/larder/v1/entry?url=a&field=Authorization:(hidden)"
        ),
        ("/larder/v1/entry?field=Authorization%3a%20secret", "/larder/v1/entry?field=Authorization:(hidden)"),
        ("/larder/v1/entry?%66ield=Cookie:secret", "/larder/v1/entry?%66ield=Cookie:(hidden)"),
        ("/larder/v1/entry?field=secret", "/larder/v1/entry?field=(hidden)"),
    ]) func `The values of fields that a request is explained for are hidden`(_ target: String, _ shown: String) {
        #expect(AdminTarget.withoutFieldValues(target) == shown)
    }
}
