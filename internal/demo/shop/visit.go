//spile:ignore EV02,RC01,RC05 the shop logs as strangers do, in prose and with fields of its own

package shop

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// page is something that visitors ask for.
type page struct {
	method, path string
	// weight is how often it is asked for, bytes the usual size of its answer.
	weight, bytes int
}

// idMark stands in a path for a number.
const idMark = "{id}"

// pages are what the shop offers.
var pages = []page{
	{"GET", "/", 10, 18_240},
	{"GET", "/products", 9, 42_110},
	{"GET", "/products/{id}", 16, 21_870},
	{"GET", "/static/app.css", 6, 9_402},
	{"GET", "/api/search?q=lamp&page={id}", 6, 3_115},
	{"POST", "/api/cart", 8, 412},
	{"POST", "/api/checkout", 7, 689},
	{"GET", "/api/orders/{id}", 4, 1_204},
	{"GET", "/healthz", 3, 2},
	{"GET", "/wp-login.php", 1, 153},
}

// agents are the browsers of the visitors.
var agents = []string{
	"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
	"kube-probe/1.33",
}

// upstream is where nginx passes a request on.
const upstream = "http://127.0.0.1:9000"

// visit is one visitor's request and what comes of it.
type visit struct {
	rng    *rand.Rand
	number int
	now    time.Time
	method string
	path   string
	status int
	bytes  int
	client string
	user   int
	took   time.Duration
}

// newVisit rolls the dice for one visitor.
func newVisit(rng *rand.Rand, number int, now time.Time) *visit {
	v := &visit{rng: rng, number: number, now: now, status: 200, user: 10_000 + rng.IntN(2_000)}
	p := pickPage(rng)
	v.method, v.path, v.bytes = p.method, p.path, p.bytes*(90+rng.IntN(20))/100
	v.path = strings.ReplaceAll(v.path, idMark, strconv.Itoa(1+rng.IntN(400)))
	v.client = fmt.Sprintf("203.0.113.%d", 1+rng.IntN(250))
	v.took = time.Duration(8+rng.IntN(120)) * time.Millisecond
	switch dice := rng.IntN(100); {
	case p.path == "/wp-login.php":
		v.status = 404
	case dice < 3:
		v.status, v.bytes, v.took = 504, 167, 30*time.Second
	case dice < 6:
		v.status, v.bytes = 502, 157
	case dice < 8:
		v.status, v.bytes = 500, 170
	case dice < 11:
		v.status, v.bytes = 404, 153
	case dice < 14:
		v.status, v.bytes = 304, 0
	case p.path == "/api/checkout" && dice < 30:
		v.status, v.bytes = 402, 214
	}
	return v
}

// pickPage picks by weight.
func pickPage(rng *rand.Rand) page {
	total := 0
	for _, p := range pages {
		total += p.weight
	}
	n := rng.IntN(total)
	for _, p := range pages {
		if n -= p.weight; n < 0 {
			return p
		}
	}
	return pages[0]
}

// accessLine is the request in nginx's combined format.
func (v *visit) accessLine() []byte {
	return fmt.Appendf(nil, "%s - - [%s] \"%s %s HTTP/1.1\" %d %d \"https://shop.example/\" \"%s\"\n",
		v.client, v.now.Format("02/Jan/2006:15:04:05 -0700"), v.method, v.path, v.status, v.bytes,
		agents[v.number%len(agents)])
}

// errorLine is what nginx writes to its error log about the request, nil for nothing.
func (v *visit) errorLine() []byte {
	level, text := "", ""
	switch v.status {
	case 504:
		level, text = "error", "upstream timed out (110: Connection timed out) while reading response header from upstream"
	case 502:
		level, text = "error", "connect() failed (111: Connection refused) while connecting to upstream"
	case 404:
		level, text = "error", `open() "/srv/shop/public`+v.path+`" failed (2: No such file or directory)`
	case 200:
		if v.bytes < 40_000 {
			return nil
		}
		level, text = "warn", "an upstream response is buffered to a temporary file "+
			"/var/cache/nginx/proxy_temp/3/12/0000000123 while reading upstream"
	default:
		return nil
	}
	return fmt.Appendf(nil, "%s [%s] 1213#1213: *%d %s, client: %s, server: shop.example, "+
		"request: \"%s %s HTTP/1.1\", upstream: \"%s%s\", host: \"shop.example\"\n",
		v.now.Format("2006/01/02 15:04:05"), level, v.number, text, v.client, v.method, v.path, upstream, v.path)
}

// logOrder writes what the application has to say about the visit, in JSON.
func (s *Shop) logOrder(ctx context.Context, v *visit) {
	order := slog.String("order", fmt.Sprintf("A-%05d", 20_000+v.number))
	log := s.orders.With(slog.Int("user_id", v.user), slog.String("path", v.path),
		slog.String("request_id", fmt.Sprintf("%08x", v.rng.Uint32())))
	switch {
	case v.status == 500:
		log.LogAttrs(ctx, slog.LevelError, "query failed: deadlock detected", slog.String("db", "orders"),
			slog.String("stacktrace", "orders.(*Store).Save\n\tstore.go:118\norders.(*API).Checkout\n\tapi.go:61"))
	case v.status == 504:
		log.LogAttrs(ctx, slog.LevelError, "payment provider timed out", order, slog.Duration("after", v.took))
	case v.status == 402:
		log.LogAttrs(ctx, slog.LevelWarn, "payment declined", order, slog.String("code", "insufficient_funds"))
	case v.path == "/api/checkout":
		log.LogAttrs(ctx, slog.LevelInfo, "order placed", order,
			slog.Group("total", slog.Int("cents", 990+v.rng.IntN(20_000)), slog.String("currency", "EUR")))
	case v.path == "/api/cart":
		log.LogAttrs(ctx, slog.LevelDebug, "cart updated", slog.Int("items", 1+v.rng.IntN(6)))
	}
}

// logWork writes what the background worker does now and then, in logfmt.
func (s *Shop) logWork(ctx context.Context, v *visit) {
	if v.number%3 != 0 {
		return
	}
	job := slog.Int("job", 500+v.number/3)
	switch dice := v.rng.IntN(20); {
	case dice == 0:
		s.worker.LogAttrs(ctx, slog.LevelError, "send mail failed", job, slog.String("queue", "mail"),
			slog.String("err", "dial tcp 198.51.100.25:587: i/o timeout"), slog.Int("user_id", v.user))
	case dice < 3:
		s.worker.LogAttrs(ctx, slog.LevelWarn, "job is late", job, slog.String("queue", "thumbnails"),
			slog.Duration("late_by", time.Duration(v.rng.IntN(90))*time.Second))
	case dice < 8:
		s.worker.LogAttrs(ctx, slog.LevelDebug, "queue polled", slog.String("queue", "mail"), slog.Int("waiting", dice))
	default:
		s.worker.LogAttrs(ctx, slog.LevelInfo, "job done", job, slog.String("queue", "mail"),
			slog.Duration("took", v.took))
	}
}
