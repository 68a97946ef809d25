// Package namespace matches names of parts, such as MyApp::Database::Pool and github.com/acme/db.Pool, against patterns
// with * and **, and picks the most specific of several.
package namespace
