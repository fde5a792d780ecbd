// Package clients holds tests of real clients: curl, git, pip and others go
// through a real gateway, by the settings that docs/clients.md gives, and what
// they show when they are refused is the table in that page. It has no code of
// its own.
package clients
