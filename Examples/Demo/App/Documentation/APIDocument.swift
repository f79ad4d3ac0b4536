/// The document of the example API: OpenAPI 3.1, as JSON. A test compares it with the routes.
enum APIDocument {
    static let text = #"""
        {
          "openapi": "3.1.0",
          "info": {
            "title": "Larder example API",
            "version": "1",
            "description": "Users and posts with a cache. Cache-Status in each response says what the cache did."
          },
          "servers": [{"url": "."}],
          "paths": {
            "/api/users/{id}": {
              "parameters": [{"$ref": "#/components/parameters/id"}],
              "get": {
                "operationId": "getUser",
                "summary": "Return a user, cached for 120 seconds",
                "parameters": [{"$ref": "#/components/parameters/nocache"}],
                "responses": {
                  "200": {
                    "description": "The user",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/UserResponse"}}}
                  },
                  "400": {"$ref": "#/components/responses/Invalid"}
                }
              },
              "put": {
                "operationId": "updateUser",
                "summary": "Rename a user, and invalidate what is cached of it",
                "requestBody": {
                  "required": true,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/UserUpdate"}}}
                },
                "responses": {
                  "200": {"$ref": "#/components/responses/Done"},
                  "400": {"$ref": "#/components/responses/Invalid"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            },
            "/api/posts/": {
              "get": {
                "operationId": "listPosts",
                "summary": "List the posts, cached for 90 seconds",
                "parameters": [{"$ref": "#/components/parameters/nocache"}],
                "responses": {
                  "200": {
                    "description": "The titles of all posts, the oldest first",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PostsResponse"}}}
                  }
                }
              },
              "post": {
                "operationId": "createPost",
                "summary": "Add a post, and invalidate the cached list",
                "requestBody": {
                  "required": true,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewPost"}}}
                },
                "responses": {
                  "200": {"$ref": "#/components/responses/Done"},
                  "400": {"$ref": "#/components/responses/Invalid"},
                  "413": {"$ref": "#/components/responses/TooLarge"},
                  "507": {"$ref": "#/components/responses/Full"}
                }
              }
            },
            "/api/invalidate/{key}": {
              "delete": {
                "operationId": "invalidateKey",
                "summary": "Remove a cached response by its key",
                "security": [{"token": []}],
                "parameters": [
                  {
                    "name": "key",
                    "in": "path",
                    "required": true,
                    "description": "The key, such as GET:/api/posts/, percent-encoded or not",
                    "schema": {"type": "string", "pattern": "^GET:/[!-~]{0,400}$"}
                  }
                ],
                "responses": {
                  "200": {
                    "description": "The response was cached, and is removed",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Removal"}}}
                  },
                  "400": {"$ref": "#/components/responses/Invalid"},
                  "401": {"$ref": "#/components/responses/NoToken"},
                  "403": {"$ref": "#/components/responses/NoAccess"},
                  "404": {
                    "description": "Nothing is cached under the key",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Removal"}}}
                  },
                  "503": {
                    "description": "Redis cannot be reached: the key is removed when it can be reached again",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
                  }
                }
              }
            },
            "/metrics/cache": {
              "get": {
                "operationId": "getMetrics",
                "summary": "Return the counts of the cache",
                "security": [{"token": []}],
                "responses": {
                  "200": {
                    "description": "The counts since the start",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Metrics"}}}
                  },
                  "401": {"$ref": "#/components/responses/NoToken"},
                  "403": {"$ref": "#/components/responses/NoAccess"}
                }
              }
            },
            "/openapi.json": {
              "get": {
                "operationId": "getDocument",
                "summary": "Return this document",
                "responses": {
                  "200": {"description": "The document", "content": {"application/json": {"schema": {"type": "object"}}}}
                }
              }
            },
            "/docs": {
              "get": {
                "operationId": "getPage",
                "summary": "Show this document as a page",
                "responses": {
                  "200": {"description": "The page", "content": {"text/html": {"schema": {"type": "string"}}}}
                }
              }
            }
          },
          "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "parameters": {
              "id": {
                "name": "id",
                "in": "path",
                "required": true,
                "description": "The ID of the user",
                "schema": {"type": "integer", "minimum": 1, "maximum": 9223372036854775807}
              },
              "nocache": {
                "name": "nocache",
                "in": "query",
                "description": "true: the cache is bypassed",
                "schema": {"type": "string"}
              }
            },
            "responses": {
              "Done": {
                "description": "Done",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
              },
              "Invalid": {
                "description": "The request is invalid; the message says what was expected",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
              },
              "NoToken": {
                "description": "The admin token is missing or wrong",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
              },
              "NoAccess": {
                "description": "The client may not use this route",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
              },
              "TooLarge": {
                "description": "The content is larger than 16 KiB",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
              },
              "Full": {
                "description": "The limit of posts or of renamed users is reached",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
              }
            },
            "schemas": {
              "Message": {
                "type": "object",
                "properties": {"message": {"type": "string"}},
                "required": ["message"],
                "additionalProperties": false
              },
              "Removal": {
                "type": "object",
                "properties": {
                  "message": {"type": "string"},
                  "removed": {"type": "integer", "description": "The number of removed responses"}
                },
                "required": ["message"],
                "additionalProperties": false
              },
              "UserResponse": {
                "type": "object",
                "properties": {
                  "user": {
                    "type": "object",
                    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
                    "required": ["id", "name"],
                    "additionalProperties": false
                  }
                },
                "required": ["user"],
                "additionalProperties": false
              },
              "UserUpdate": {
                "type": "object",
                "properties": {
                  "name": {"type": "string", "maxLength": 200, "pattern": "\\S", "description": "Not blank"}
                },
                "required": ["name"]
              },
              "PostsResponse": {
                "type": "object",
                "properties": {"posts": {"type": "array", "items": {"type": "string"}}},
                "required": ["posts"],
                "additionalProperties": false
              },
              "NewPost": {
                "type": "object",
                "properties": {
                  "title": {"type": "string", "maxLength": 200, "pattern": "\\S", "description": "Not blank"}
                },
                "required": ["title"]
              },
              "Metrics": {
                "type": "object",
                "properties": {
                  "hits": {"type": "integer", "description": "The requests answered from the store"},
                  "misses": {"type": "integer", "description": "The requests that the store could not answer"},
                  "stale": {"type": "integer", "description": "The requests answered with a stale response"},
                  "top_keys": {
                    "type": "array",
                    "items": {
                      "type": "array",
                      "items": {"type": ["string", "integer"]},
                      "minItems": 2,
                      "maxItems": 2
                    },
                    "description": "The keys with the most requests, each with their number"
                  },
                  "total_cached_keys": {"type": "integer", "description": "The keys with a valid response"},
                  "store_available": {"type": "boolean", "description": "False while Redis cannot be reached"}
                },
                "required": ["hits", "misses", "stale", "top_keys", "total_cached_keys"],
                "additionalProperties": false
              }
            }
          }
        }
        """#
}
