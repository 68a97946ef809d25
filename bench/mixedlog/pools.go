package mixedlog

// The pools that lines draw from; an entry that stands several times is that much likelier.
var (
	methods  = []string{"GET", "GET", "GET", "GET", "GET", "POST", "POST", "PUT", "DELETE", "HEAD"}
	statuses = []int{
		200, 200, 200, 200, 200, 200, 200, 200, 201, 204, 301, 304, 304, 400, 401, 403, 404, 404, 499,
		500, 502, 503, 504,
	}
	referers = []string{
		"-", "-", "-", "https://shop.example.com/", "https://shop.example.com/cart",
		"https://www.example.org/search?q=shoes",
	}
	agents = []string{
		"curl/8.5.0", "Go-http-client/1.1", "kube-probe/1.29", "python-requests/2.31.0", "Prometheus/2.48.1",
		"Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 " +
			"Mobile/15E148 Safari/604.1",
	}
	paths = []string{
		"/api/v1/orders", "/api/v1/orders/search", "/api/v1/users", "/api/v1/users/profile",
		"/api/v1/cart/items", "/api/v1/payments", "/api/v1/products", "/api/v1/sessions", "/healthz", "/metrics",
		"/static/app.js", "/static/app.css", "/static/logo.svg",
	}
	services = []string{"payments", "orders", "users", "cart", "search", "gateway", "inventory", "notifications"}
	messages = []string{
		"request completed", "request started", "cache miss", "cache hit", "query executed",
		"retrying upstream", "session opened", "session closed", "message published", "message consumed",
		"job scheduled", "job finished", "configuration loaded",
	}
	failures = []string{
		"upstream timed out (110: Connection timed out)",
		"dial tcp 10.0.3.7:5432: connect: connection refused", "pq: deadlock detected", "unexpected EOF",
		"context canceled", "no such host", "invalid checksum of the response body",
	}
	regions = []string{"eu-west-1", "us-east-1", "ap-south-1"}
)
