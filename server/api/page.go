package api

import (
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/wire"
)

// maxForm bounds the body of the login form.
const maxForm = 4 << 10

// loginTemplate is the page that a login URL opens. It changes nothing by itself: programs that look at links before a
// person does must not use the code up.
var loginTemplate = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Spile: sign in</title>
<link rel="icon" href="icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="app.css">
</head>
<body>
<main>
<h1>Spile</h1>
{{if .Problem}}<p role="alert">{{.Problem}}</p>{{end}}
<form method="post" action="login">
<p><label>Login code <input name="code" value="{{.Code}}" autocomplete="off" spellcheck="false" required></label></p>
<p><button type="submit">Sign in</button></p>
</form>
<p>A code is good for one login. <code>spile demo</code> prints another when Enter is pressed, <code>spile serve</code>
when it starts. Who is logged in already, or has a token, goes <a href="./">to the page</a>.</p>
</main>
</body>
</html>
`))

// loginView is what the login page shows.
type loginView struct {
	Code    string
	Problem string
}

// loginPage is GET /login.
func (a *API) loginPage(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	a.showLogin(w, http.StatusOK, loginView{Code: r.URL.Query().Get("code")})
	return nil
}

// showLogin writes the login page.
func (a *API) showLogin(w http.ResponseWriter, status int, view loginView) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := loginTemplate.Execute(w, view); err != nil {
		a.log.Debug("answer_write_failed", "reason", err)
	}
}

// login is POST /login: the first with a good code gets the cookie.
func (a *API) login(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	// Browsers send the origin of a form. One of another page would log its visitor in as somebody else.
	if err := a.ownOrigin(r); err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return wire.Invalid("code", "the form could not be read")
	}
	if !a.o.Logins.Use(r.PostForm.Get("code")) {
		a.showLogin(w, http.StatusUnauthorized, loginView{Problem: "This code is not good, or was used already."})
		return nil
	}
	token, err := a.o.Tokens.IssueLogin(auth.AdminSubject, auth.LoginTTL)
	if err != nil {
		return err
	}
	a.setCookie(w, r, token, auth.LoginTTL)
	// Relative, since a proxy may serve all this below a folder of its own. http.Redirect would make it absolute.
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// page serves the page's files; everything else that no route took is not found.
func (a *API) page(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	name := strings.TrimPrefix(r.URL.Path, "/")
	switch name {
	case "":
		name = "index.html"
	case "favicon.ico":
		// Browsers ask for it unasked, beside what is no page of ours too. The type of the answer says what it is.
		name = "icon.svg"
	}
	info, err := fs.Stat(a.o.Page, name)
	if err != nil || info.IsDir() {
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
			return err
		}
		return wire.Errorf(wire.CodeNotFound, "nothing is at this path")
	}
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeFileFS(w, r, a.o.Page, name)
	return nil
}

// openAPI is GET /openapi.json.
func (a *API) openAPI(w http.ResponseWriter, _ *http.Request, _ auth.Principal) error {
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(a.o.OpenAPI); err != nil {
		a.log.Debug("answer_write_failed", "reason", err)
	}
	return nil
}

// health is the body of the health paths.
type health struct {
	Status string `json:"status"`
}

// healthz is GET /healthz: the process answers.
func (a *API) healthz(w http.ResponseWriter, _ *http.Request, _ auth.Principal) error {
	return a.answer(w, http.StatusOK, health{Status: "ok"})
}

// readyz is GET /readyz: the process can do its work.
func (a *API) readyz(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	if err := a.o.Ready(r.Context()); err != nil {
		a.log.Warn("ready_check_failed", "reason", err)
		return wire.Errorf(wire.CodeUnavailable, "the store does not answer")
	}
	return a.answer(w, http.StatusOK, health{Status: "ready"})
}
