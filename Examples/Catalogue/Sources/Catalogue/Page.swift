import Hummingbird

/// The page that shows the times of cold and warm requests.
struct Page: Sendable {
    let statistics: Statistics

    /// `GET /`
    func show(_ request: Request, _ context: AppContext) async throws -> Response {
        let top = try await statistics.top().map { product in
            "<li>\(escaped(product.name)): \(product.stars) stars, \(product.reviews) reviews</li>"
        }
        let html = Self.template.replacing("<!-- top -->", with: top.joined(separator: "\n"))
        return Response(
            status: .ok,
            headers: [.contentType: "text/html; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: html))
        )
    }

    private func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("\"", with: "&quot;")
    }

    private static let template = #"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Catalogue</title>
        <style>
        :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
        body { font: 1rem/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
        table { border-collapse: collapse; width: 100%; }
        caption { text-align: left; padding-bottom: .5rem; }
        th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
        th { font-weight: 600; }
        td b { display: block; font-weight: inherit; font-variant-numeric: tabular-nums; }
        code { font-size: .85em; overflow-wrap: anywhere; }
        form, .buttons { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end; margin: 1rem 0; }
        label { display: grid; font-size: .9rem; }
        input, button { font: inherit; padding: .35rem .7rem; }
        .scroll { overflow-x: auto; }
        </style>
        </head>
        <body>
        <main>
        <h1>Catalogue</h1>
        <p>Load sends six requests to each route, and measures the time to the last byte in this browser. A
        <em>cold</em>
        request is a miss: its handler reads SQLite. A <em>warm</em> one is a hit of the cache.</p>
        <form id="sign-in">
        <label>Name <input name="name" value="Ada" autocomplete="username" required></label>
        <label>Password
        <input name="password" type="password" value="ada-password" autocomplete="current-password" required></label>
        <button>Sign in</button>
        </form>
        <div class="buttons">
        <button type="button" id="load">Load</button>
        <button type="button" id="review">Write a review</button>
        <button type="button" id="clear">Clear</button>
        </div>
        <p role="status" id="status">Nothing is loaded yet.</p>
        <div class="scroll" tabindex="0" role="region" aria-label="Times">
        <table>
        <caption>The last cold request and the fastest warm one</caption>
        <thead><tr><th scope="col">Route</th><th scope="col">Cold</th><th scope="col">Warm</th></tr></thead>
        <tbody id="rows"></tbody>
        </table>
        </div>
        <h2>Products with the best reviews</h2>
        <ol>
        <!-- top -->
        </ol>
        </main>
        <script>
        "use strict";
        const routes = [
          { path: "/" },
          { path: "/api/products?page=2" },
          { path: "/api/products/42" },
          { path: "/api/products/42/reviews" },
          { path: "/api/categories/home" },
          { path: "/api/top" },
          { path: "/api/favourites" },
          { path: "/api/search", method: "POST", body: { text: "lamp" } },
        ];
        const find = (id) => document.getElementById(id);
        const tell = (text) => { find("status").textContent = text; };

        for (const route of routes) {
          const row = find("rows").insertRow();
          const head = document.createElement("th");
          head.scope = "row";
          const code = document.createElement("code");
          code.textContent = (route.method ?? "GET") + " " + route.path;
          head.append(code);
          row.append(head);
          route.cold = row.insertCell();
          route.warm = row.insertCell();
        }

        // "no-store" keeps the cache of the browser out of the measurement.
        function send(path, method = "GET", body = undefined) {
          const headers = body ? { "Content-Type": "application/json" } : {};
          return fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
        }

        // Sends a request, and shows its time and its Cache-Status in the column of hits or in that of misses. The
        // column of hits has the fastest one.
        async function measure(route) {
          const start = performance.now();
          const response = await send(route.path, route.method, route.body);
          await response.arrayBuffer();
          const time = performance.now() - start;
          const status = response.headers.get("Cache-Status") ?? "";
          const isHit = /;\s*hit/.test(status);
          if (isHit && time >= route.fastest) return;
          if (isHit) route.fastest = time;
          const text = document.createElement("b");
          text.textContent = response.ok ? `${time.toFixed(1)} ms` : `Status ${response.status}`;
          const field = document.createElement("code");
          field.textContent = status;
          (isHit ? route.warm : route.cold).replaceChildren(text, field);
        }

        async function load() {
          for (const route of routes) {
            route.cold.textContent = route.warm.textContent = "–";
            route.fastest = Infinity;
          }
          for (const route of routes) {
            for (let count = 0; count < 6; count += 1) { await measure(route); }
          }
        }

        async function change(text, ...request) {
          const response = await send(...request);
          tell(response.ok ? text : `${request[1]} ${request[0]}: ${response.status}. Sign in as Ada first.`);
        }

        // While one action runs, the buttons are off, so that requests of two actions do not disturb the times.
        async function act(action) {
          const buttons = document.querySelectorAll("button");
          buttons.forEach((button) => { button.disabled = true; });
          try { await action(); } catch (error) { tell(`The request failed: ${error.message}`); }
          buttons.forEach((button) => { button.disabled = false; });
        }

        find("load").onclick = () => act(async () => { await load(); tell("Loaded."); });
        find("review").onclick = () => act(() => change(
          "A review of product 42 is written. Load shows which routes are cold now.",
          "/api/products/42/reviews", "POST", { stars: 1 + Math.floor(Math.random() * 5), text: "From the page" }));
        find("clear").onclick = () => act(() => change(
          "Everything is invalidated. The next load is cold.", "/api/clear", "POST"));
        find("sign-in").onsubmit = (event) => {
          event.preventDefault();
          const { name, password } = Object.fromEntries(new FormData(event.target));
          act(() => change(`${name} is signed in.`, "/api/session", "POST", { name, password }));
        };
        </script>
        </body>
        </html>
        """#
}
