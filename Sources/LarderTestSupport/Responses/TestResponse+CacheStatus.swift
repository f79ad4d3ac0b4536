#if canImport(HummingbirdTesting)
    import HTTPTypes
    public import HummingbirdTesting

    extension HummingbirdTesting.TestResponse: CacheStatusReadable {
        public var cacheStatusField: String? { headers.cacheStatusField }
    }
#endif
